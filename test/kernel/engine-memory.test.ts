/** The engine gives back what only work needs, once, when it has come to rest. */

import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import { Product } from "../product.ts";
import { waitUntil } from "../wait-until.ts";
import { kernelTest } from "./harness.ts";

const MiB = 1024; // of smaps, in KiB
const patienceMs = 60_000;

kernelTest(
  "an engine that rests unmaps its program and forgets compiled code; and works on",
  ["root", "product", "overlay"],
  async ({ directory, defer }) => {
    const product = new Product(directory);
    defer(() => product.stop());
    await product.ok("ps");
    const events = await product.engine.system.events(); // somebody listens: it does not leave
    defer(() => void events.return());
    const engine = product.enginePid() ?? expect.unreachable("no engine");
    for (let i = 0; i < 30; i++) await product.ok("run", "--rm", "--network", "none", "host", "true");
    const { program, own } = residentOf(engine);
    expect(program).toBeGreaterThan(16 * MiB);
    await waitUntil(() => residentOf(engine).program < program / 2, patienceMs, "it rests");
    expect(residentOf(engine).own).toBeLessThan(own);
    expect(await product.ok("run", "--rm", "--network", "none", "host", "echo", "there")).toBe("there");
    expect(product.enginePid()).toBe(engine);
  },
  2 * patienceMs,
);

/** KiB. program: its instructions; own: what no file has. */
function residentOf(pid: number): { readonly program: number; readonly own: number } {
  const parts = readFileSync(`/proc/${pid}/smaps`, "utf8").split(/\n(?=[0-9a-f]+-[0-9a-f]+ )/);
  const sum = (field: string, of: readonly string[]): number =>
    of.reduce((total, text) => total + Number(new RegExp(`^${field}: +(\\d+) kB`, "m").exec(text)?.[1]), 0);
  const program = parts.filter((text) => / r-xp .*\/orlop-program$/m.test(text));
  return { program: sum("Rss", program), own: sum("Anonymous", parts) };
}
