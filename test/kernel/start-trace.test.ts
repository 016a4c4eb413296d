/** What a start really asks the kernel for, seen from outside. */

import { expect } from "bun:test";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cgroups, runContainer } from "./container.ts";
import { executorPath, kernelTest, type Need, type Scratch } from "./harness.ts";

const needs: readonly Need[] = ["root", "executor", "busybox", "overlay", "strace"];

/** Every call of the executor and its children, "PID name(arguments) = result" a line. */
async function traceStart(scratch: Scratch, calls: string, syncExit: boolean): Promise<string[]> {
  const trace = join(scratch.directory, "trace");
  const executable = join(scratch.directory, "traced");
  writeFileSync(executable, `#!/bin/sh\nexec strace -f -qq -o ${trace} -e trace=${calls} ${executorPath} "$@"\n`);
  chmodSync(executable, 0o700);
  const { stdout, status } = await runContainer(scratch, "echo started", { executable, syncExit });
  expect([stdout, status]).toEqual(["started\n", 0]);
  return wholeLines(readFileSync(trace, "utf8").split("\n"));
}

/** A call during which another process said something is told in two lines. */
function wholeLines(lines: readonly string[]): string[] {
  const begun = new Map<string, string>();
  return lines.flatMap((line) => {
    const [, pid = "", first] = /^(\d+) +(.*) <unfinished \.\.\.>$/.exec(line) ?? [];
    if (first !== undefined) begun.set(pid, first);
    const [, of = "", rest] = /^(\d+) +<\.\.\. \w+ resumed>(.*)$/.exec(line) ?? [];
    if (rest !== undefined) return [`${of} ${begun.get(of)}${rest}`];
    return first === undefined ? [line] : [];
  });
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
    `the exit record is ${syncExit ? "on the disk before it has its name, and its name after" : "not synced with --rm"}`,
    needs,
    async (scratch) => {
      const lines = await traceStart(scratch, "fsync,fdatasync,renameat,renameat2", syncExit);
      const calls = lines.flatMap((line) => /^\d+ +(\w+)\(.*= 0$/.exec(line)?.[1] ?? []);
      expect(calls.slice(-3)).toEqual(syncExit ? ["fsync", "renameat", "fsync"] : calls.slice(-3));
      expect(calls.filter((name) => name !== "renameat")).toHaveLength(syncExit ? 2 : 0);
    },
  );
