/** A state directory without room: the command says so in a line, and the engine goes on when there is room again. */

import { expect } from "bun:test";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { kernelTest } from "../kernel/harness.ts";
import { Product, runProgram } from "../product.ts";
import { waitUntil } from "../wait-until.ts";

const refused = /^orlop: .*no space left on device: make room on that file system.*\n$/;

kernelTest(
  "a full disk is named, and what comes when it has room again works",
  ["root", "product"],
  async ({ directory, defer }) => {
    const state = join(directory, "state");
    mkdirSync(state);
    await runProgram(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", state]);
    defer(async () => void (await runProgram(["umount", "-l", state])));
    const product = new Product(directory);
    defer(() => product.stop());
    const create = () => product.run(["create", "host", "true"]);
    const fill = () => expect(() => writeFileSync(join(state, "filler"), new Uint8Array(8 << 20))).toThrow("ENOSPC");

    await product.ok("ps");
    fill();
    const running = await create();
    expect([running.exitCode, running.stderr]).toEqual([1, expect.stringMatching(refused)]);
    rmSync(join(state, "filler"));
    await product.ok("create", "host", "true");

    await product.ok("system", "stop");
    fill();
    const starting = await create();
    expect([starting.exitCode, starting.stderr]).toEqual([1, expect.stringMatching(refused)]);
    rmSync(join(state, "filler"));
    await waitUntil(async () => (await create()).exitCode === 0, 60_000, "the engine starts again");
  },
);
