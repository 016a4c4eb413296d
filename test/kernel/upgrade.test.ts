/** The programs are replaced while a supervisor of the old ones runs. */

import { expect } from "bun:test";
import { cpSync, existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Product, testOrlopPath } from "../product.ts";
import { waitUntil } from "../wait-until.ts";
import { kernelTest } from "./harness.ts";

kernelTest(
  "an engine does not work with another build's supervisor: it says so, and replaces it as soon as it can",
  ["root", "product", "overlay"],
  async ({ directory, defer }) => {
    const programs = join(directory, "programs");
    for (const name of ["orlop", "orlop-program"]) cpSync(join(dirname(testOrlopPath), name), join(programs, name));
    const executor = readFileSync(join(dirname(testOrlopPath), "orlop-executor"));
    install("orlop-executor", otherBuild(executor));
    const product = new Product(directory, { program: join(programs, "orlop") });
    defer(() => product.stop());

    const first = product.run(["info"]); // it waits, or is told that the engine broke off
    const logPath = join(product.runDir, "engine.log");
    const log = (): string => (existsSync(logPath) ? readFileSync(logPath, "utf8") : "");
    await waitUntil(() => log().includes("put programs of one build there"), 10_000, "the engine says what is wrong");
    const old = product.supervisorPid();
    install("orlop-executor", executor);
    await first;
    expect(await product.ok("run", "--rm", "--network", "none", "host", "echo", "there")).toBe("there");
    expect(log()).toContain("the supervisor is of another build");
    expect(product.supervisorPid()).not.toBe(old);

    function install(name: string, bytes: Uint8Array): void {
      writeFileSync(join(programs, `${name}.new`), bytes, { mode: 0o755 });
      renameSync(join(programs, `${name}.new`), join(programs, name));
    }
  },
);

/** The same executor under another name. */
function otherBuild(executor: Buffer): Buffer {
  const found = /ORLOP_SUPERVISOR_BUILD/.test(executor.toString("latin1"));
  const name = executor.toString("latin1").match(/\0[0-9a-f]{32}\0/)?.[0] ?? expect.unreachable("no name");
  expect(found).toBe(true);
  return Buffer.from(executor.toString("latin1").replace(name, `\0${"0".repeat(32)}\0`), "latin1");
}
