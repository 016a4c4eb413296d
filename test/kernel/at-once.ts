/** Tests on the real kernel that mostly wait for bounds of the product's: all at the same time they take as long as the slowest. */

import { afterAll } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expectNoLeaks, type Snapshot, takeSnapshot } from "../leakcheck.ts";
import { beforeAllWhere, inTime, type Need, type Scratch, testWhere, undoMs } from "./harness.ts";

type Body = (scratch: Scratch) => Promise<void>;

/** By name. Each gets a directory of its own and ends what it started; the leak check comes behind the last. */
export function testsAtOnce(needs: readonly Need[], bodies: Readonly<Record<string, Body>>, timeoutMs: number): void {
  const running = new Map<string, Promise<void>>();
  let begun: { readonly directory: string; readonly before: Snapshot } | undefined;

  beforeAllWhere(needs, () => {
    const directory = mkdtempSync(join(tmpdir(), "orlop-test-"));
    begun = { directory, before: takeSnapshot({ directory }) };
    for (const [name, body] of Object.entries(bodies)) {
      const run = runIn(join(directory, `${running.size}`), body, timeoutMs);
      run.catch(() => undefined); // its own test says it
      running.set(name, run);
    }
  });

  const limitMs = timeoutMs + undoMs;
  for (const name of Object.keys(bodies)) testWhere(...needs)(name, () => running.get(name), limitMs);

  afterAll(async () => {
    if (begun === undefined) return;
    await Promise.allSettled(running.values());
    await expectNoLeaks(begun.before, begun);
    rmSync(begun.directory, { recursive: true, force: true });
  }, limitMs);
}

async function runIn(directory: string, body: Body, timeoutMs: number): Promise<void> {
  mkdirSync(directory);
  await using undo = new AsyncDisposableStack();
  await inTime(body({ directory, defer: (step) => undo.defer(step) }), timeoutMs);
}
