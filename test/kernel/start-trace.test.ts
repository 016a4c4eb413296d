/** What a start really asks the kernel for, seen from outside. */

import { expect } from "bun:test";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encodeBare } from "../../src/kernel/frame.ts";
import { waitUntil } from "../wait-until.ts";
import { cgroups, runContainer } from "./container.ts";
import { executorPath, kernelTest, type Need, type Scratch } from "./harness.ts";
import { attach, monitorOf, startMonitor, startSupervisor, untilGone } from "./monitor-fixture.ts";

const needs: readonly Need[] = ["root", "executor", "busybox", "overlay", "strace"];

const syncs = "fsync,fdatasync,sync,syncfs";

/** An executor whose calls, and its children's, are written to a file. */
function tracing(scratch: Scratch, calls: string, ...flags: readonly string[]) {
  const path = join(scratch.directory, "trace");
  const executable = join(scratch.directory, "traced");
  const words = ["strace", "-f", ...flags, "-o", path, "-e", `trace=${calls}`, executorPath];
  writeFileSync(executable, `#!/bin/sh\nexec ${words.join(" ")} "$@"\n`);
  chmodSync(executable, 0o700);
  return { path, executable };
}

/** Every call of the executor and its children, "PID name(arguments) = result" a line. */
async function traceStart(scratch: Scratch, calls: string, syncExit: boolean): Promise<string[]> {
  const { path, executable } = tracing(scratch, calls, "-qq");
  const { stdout, status } = await runContainer(scratch, "echo started", { executable, syncExit });
  expect([stdout, status]).toEqual(["started\n", 0]);
  return linesIn(path);
}

/** A call during which another process said something is told in two lines. */
function linesIn(path: string): string[] {
  const begun = new Map<string, string>();
  return readFileSync(path, "utf8")
    .split("\n")
    .flatMap((line) => {
      const [, pid = "", first] = /^(\d+) +(.*) <unfinished \.\.\.>$/.exec(line) ?? [];
      if (first !== undefined) begun.set(pid, first);
      const [, of = "", rest] = /^(\d+) +<\.\.\. \w+ resumed>(.*)$/.exec(line) ?? [];
      if (rest !== undefined) return [`${of} ${begun.get(of)}${rest}`];
      return first === undefined ? [line] : [];
    });
}

/** Those that succeeded. */
function callsIn(lines: readonly string[]): string[] {
  return lines.flatMap((line) => /^\d+ +(\w+)\(.*= 0$/.exec(line)?.[1] ?? []);
}

kernelTest(
  "a start joins its groups without a write to cgroup.procs, which costs an RCU grace period",
  needs,
  async (scratch) => {
    const lines = await traceStart(scratch, "openat,open,clone3", false);
    const written = lines.filter((line) => /O_(WRONLY|RDWR)/.test(line));
    const cloned = lines.filter((line) => line.includes("CLONE_INTO_CGROUP"));
    expect(written.filter((line) => line.includes("cgroup.procs"))).toEqual([]);
    const v1 = cgroups.v1.length;
    expect(written.filter((line) => line.includes('/tasks"')).length).toBe(v1);
    if (v1 === 0) expect(cloned).toHaveLength(1);
  },
);

for (const syncExit of [true, false])
  kernelTest(
    `the exit record is not synced ${syncExit ? "while an engine is there, which writes the end down itself" : "with --rm"}`,
    needs,
    async (scratch) => {
      const lines = await traceStart(scratch, `${syncs},renameat`, syncExit);
      expect(callsIn(lines).slice(-1)).toEqual(["renameat"]);
      expect(callsIn(lines).filter((name) => name !== "renameat")).toEqual([]);
    },
  );

kernelTest(
  "without an engine the exit record is on the disk before it has its name, and its name after",
  ["root", "executor", "strace"],
  async (scratch) => {
    // -D: the tracer stands aside, so that the supervisor is who was started
    const trace = tracing(scratch, `${syncs},renameat`, "-D");
    const control = await startSupervisor(scratch, {}, trace.executable);
    using engine = await startMonitor(control, { directory: scratch.directory, argv: ["sh", "-c", "read line"] });
    engine.send(encodeBare("GO"));
    const monitor = monitorOf((await engine.next("STARTED")).pid);
    engine[Symbol.dispose]();
    const writer = await attach(scratch.directory, 1); // whose coming the monitor notices behind the engine's leaving
    writer.socket.end("\n");
    await untilGone(monitor);
    const isWhole = () => readFileSync(trace.path, "utf8").includes("+++ exited with 64 +++");
    await waitUntil(isWhole, 10_000, "the tracer has seen the monitor's end");
    const calls = callsIn(linesIn(trace.path));
    expect(calls).toEqual(["fsync", "renameat", "fsync"]);
  },
);
