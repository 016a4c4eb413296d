/** Groups that stand still and go on, on both cgroup versions; and what they have used, from the files of v2. */

import { expect } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { isFrozen, planFreeze, planThaw } from "../../src/kernel/cgroup/freeze.ts";
import { type CgroupLayout, parseCgroupLayout } from "../../src/kernel/cgroup/layout.ts";
import { readUsage } from "../../src/kernel/cgroup/usage.ts";
import { parseMountInfo } from "../../src/kernel/mountinfo.ts";
import { waitUntil } from "../wait-until.ts";
import { runSteps } from "./child.ts";
import { kernelTest, type Need } from "./harness.ts";

const read = (path: string): string | undefined => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
};

const machine = parseCgroupLayout(parseMountInfo(readFileSync("/proc/self/mountinfo", "utf8")), "");
const layouts: readonly (readonly [string, Need, CgroupLayout, string])[] = [
  ["v1", "cgroup1", { v1: machine.v1, v2: undefined }, "/sys/fs/cgroup/freezer"],
  ["v2", "cgroup2-mount", { v1: [], v2: machine.v2 }, machine.v2?.mountPoint ?? ""],
];

/** CPU time of a process, in ticks. */
function ticks(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /s, "")
    .split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

for (const [version, need, layout, mountPoint] of layouts)
  kernelTest(
    `${version}: a busy group stands still until it is let go`,
    ["root", "executor", need],
    async ({ directory, defer }) => {
      const path = `/${basename(directory)}`;
      const group = mountPoint + path;
      defer(() => runSteps([{ op: "rmdir", path: group }]).then(() => undefined));
      await runSteps([{ op: "mkdir", path: group, mode: 0o755 }]);
      const busy = Bun.spawn(["sh", "-c", "while :; do :; done"]);
      defer(async () => {
        busy.kill("SIGKILL");
        await runSteps(planThaw(layout, path)).catch(() => undefined);
        await busy.exited;
      });
      writeFileSync(`${group}/cgroup.procs`, String(busy.pid));
      expect(isFrozen(layout, path, read)).toBe(false);

      await runSteps(planFreeze(layout, path));
      expect(isFrozen(layout, path, read)).toBe(true);
      const stood = ticks(busy.pid);
      await Bun.sleep(100); // ten ticks, had it run
      expect(ticks(busy.pid)).toBe(stood);
      if (version === "v2") expect(readUsage(layout, path, read)?.cpu.totalNs).toBeGreaterThan(0);

      await runSteps(planThaw(layout, path));
      expect(isFrozen(layout, path, read)).toBe(false);
      await waitUntil(() => ticks(busy.pid) > stood, 5000, "it goes on");
    },
  );
