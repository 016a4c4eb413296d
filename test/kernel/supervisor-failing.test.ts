/** An engine that cannot start, or ends before it serves: who waits for it is told, and nobody waits for ever. */

import { expect } from "bun:test";
import { chmodSync, cpSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import { Product, testOrlopPath } from "../product.ts";
import { waitUntil } from "../wait-until.ts";
import { kernelTest, type Need } from "./harness.ts";
import { askEngine, askHttp, isAlive, standIn, startSupervisor } from "./supervisor-fixture.ts";

const needs: readonly Need[] = ["root", "executor"];
const patienceMs = 10_000;

kernelTest(
  "without a program for the engine, clients are told why, and the supervisor leaves",
  needs,
  async (scratch) => {
    const { runDirectory, pid } = await startSupervisor(scratch, { engine: () => ["/no/such/engine"] });
    const [docker, post] = await Promise.all([
      askHttp(runDirectory, "HEAD", "GET", "GET"),
      askHttp(runDirectory, "POST"),
    ]);
    const told = "/no/such/engine cannot be started: No such file or directory";
    expect(docker).toMatch(new RegExp(`^(HTTP/1.1 503 [^{]*){2}{"message":"[^"]*${told}[^"]*"}\n[^{]*{[^}]*}\n$`));
    expect(docker).toContain(`${runDirectory}/engine.log`);
    expect(post).toContain(told);
    expect(post).toContain("Connection: close");
    await waitUntil(() => !isAlive(pid), patienceMs, "the supervisor ends");
    expect(existsSync(join(runDirectory, "orlop.sock"))).toBe(false);
    const other = await startSupervisor(scratch); // of the same folders
    expect(other.pid).not.toBe(pid);
    expect(await askEngine(runDirectory)).toBeGreaterThan(0);
  },
);

kernelTest("the next supervisor may start as soon as a client is told", needs, async (scratch) => {
  await startSupervisor(scratch, { engine: () => ["/no/such/engine"] });
  const runDirectory = join(scratch.directory, "run");
  await Promise.all(
    Array.from({ length: 20 }, async (_, i) => {
      expect(await askHttp(runDirectory, "GET")).toContain("cannot be started");
      if (i === 0) await startSupervisor(scratch);
    }),
  );
  expect(await askEngine(runDirectory)).toBeGreaterThan(0);
});

kernelTest(
  "an engine that ends before it serves: its last words are told, and it is tried again",
  needs,
  async (scratch) => {
    const program = join(scratch.directory, "engine");
    const install = (text: string): void => {
      writeFileSync(`${program}.new`, `#!/bin/sh\n${text}\n`);
      chmodSync(`${program}.new`, 0o755);
      renameSync(`${program}.new`, program);
    };
    install('echo "<3>the \\"disk\\" is full | at store" >&2; echo "<6>bye" >&2; exit 7');
    const { runDirectory, pid } = await startSupervisor(scratch, { engine: () => [program] });
    const said = await askHttp(runDirectory, "GET");
    const { message } = JSON.parse(said.slice(said.indexOf("{"))) as { message: string };
    expect(message).toContain(
      `the engine ${program} ended with status 7 before it could answer, 3 times in succession: the "disk" is full (log: `,
    );
    expect(await askHttp(runDirectory, "POST")).toContain("ended with status 7");
    expect(isAlive(pid)).toBe(true);
    install(`exec ${standIn(runDirectory).join(" ")}`);
    await waitUntil(async () => /^\d+\n$/.test(await askHttp(runDirectory, "GET")), patienceMs, "an engine answers");
  },
);

kernelTest("an engine that ends well before it serves is a failure too, and no loop", needs, async (scratch) => {
  const { runDirectory } = await startSupervisor(scratch, { engine: () => ["/bin/sh", "-c", "echo try"] });
  expect(await askHttp(runDirectory, "GET")).toContain("ended with status 0");
  const tries = readFileSync(join(runDirectory, "engine.log"), "utf8").match(/^try$/gm)?.length;
  expect(tries).toBeLessThanOrEqual(10); // a loop would have made hundreds
});

kernelTest("a client that says nothing keeps nobody waiting", needs, async (scratch) => {
  const { runDirectory, pid } = await startSupervisor(scratch, { engine: () => ["/bin/false"] });
  const silent = connect(join(runDirectory, "orlop.sock"));
  const ended = new Promise((resolve) => silent.on("close", resolve).resume());
  expect(await askHttp(runDirectory, "GET")).toContain("ended with status 1");
  await ended;
  expect(isAlive(pid)).toBe(true);
});

kernelTest(
  "an installation is moved while a container runs: the next command, of another one, takes over",
  ["root", "product", "overlay"],
  async ({ directory, defer }) => {
    const install = (name: string): string => {
      for (const part of ["orlop", "orlop-program", "orlop-executor"])
        cpSync(join(dirname(testOrlopPath), part), join(directory, name, part));
      return join(directory, name, "orlop");
    };
    const first = new Product(directory, { program: install("first") });
    const second = new Product(directory, { program: install("second") });
    defer(() => second.stop());
    const id = await first.ok("run", "-d", "--network", "none", "host", "sleep", "1000");
    renameSync(join(directory, "first"), join(directory, "moved"));
    first.killEngine();
    expect(await second.ok("ps", "-q", "--no-trunc")).toBe(id);
    expect(await second.ok("exec", id, "echo", "inside")).toBe("inside");
    rmSync(join(directory, "moved"), { recursive: true });
  },
  60_000,
);
