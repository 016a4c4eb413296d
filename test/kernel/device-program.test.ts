/** Device programs on the real kernel: what the rules allow can be opened and made, the rest cannot. */

import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { deviceProgram } from "../../src/kernel/device-program.ts";
import { type DeviceRule, defaultDeviceRules } from "../../src/kernel/device-rules.ts";
import { runChild, runSteps } from "./child.ts";
import { kernelTest, type Need, type Scratch } from "./harness.ts";

const needs: readonly Need[] = ["root", "executor", "cgroup2-mount"];

/** Where cgroup2 is mounted; on a hybrid machine not at /sys/fs/cgroup. */
function mountPoint(): string {
  const line = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .find((entry) => entry.includes(" - cgroup2 "));
  return line?.split(" ")[4] ?? "/sys/fs/cgroup";
}

/** What a shell prints in a new group with these rules. */
async function runWith(scratch: Scratch, rules: readonly DeviceRule[], script: string): Promise<string> {
  const group = join(mountPoint(), `orlop-test-${process.pid}-${Math.random().toString(36).slice(2)}`);
  await runSteps([{ op: "mkdir", path: group, mode: 0o755 }]);
  scratch.defer(async () => {
    await runSteps([{ op: "rmdir", path: group }]);
  });
  const { output } = await runChild({
    before: [{ op: "device-program", group, program: deviceProgram(rules) }],
    group,
    run: `cd ${scratch.directory}; ${script}`,
  });
  return output.trim();
}

/** Says for each device whether it can be opened in this way. */
const tryOpen = `
  opens() { if (eval ": $1 $2") 2>errors; then echo "$1 $2 yes"; else echo "$1 $2 no"; fi >&2; }`;

kernelTest(
  "the default rules let a container use null and zero, make any node, and use no other",
  needs,
  async (scratch) => {
    const script = `${tryOpen}
    mknod kmsg c 1 11 && echo made >&2
    mknod disk b 7 0 && echo made >&2
    opens '<' /dev/null; opens '>' /dev/null; opens '<' /dev/zero; opens '<' kmsg; opens '<' disk`;
    const output = await runWith(scratch, defaultDeviceRules, script);
    expect(output.split("\n")).toEqual([
      "made",
      "made",
      "< /dev/null yes",
      "> /dev/null yes",
      "< /dev/zero yes",
      "< kmsg no",
      "< disk no",
    ]);
  },
);

kernelTest("reading, writing and making are separate, and the last rule counts", needs, async (scratch) => {
  const rules: DeviceRule[] = [
    { allow: false },
    { allow: true, type: "c", major: 1, access: "rw" },
    { allow: false, type: "c", major: 1, minor: 3, access: "w" },
    { allow: true, type: "c", major: 1, minor: 11, access: "r" },
  ];
  const script = `${tryOpen}
    opens '<' /dev/null; opens '<>' /dev/null; opens '<>' /dev/zero
    mknod zero c 1 5 2>errors || echo refused >&2`;
  const output = await runWith(scratch, rules, script);
  expect(output.split("\n")).toEqual(["< /dev/null yes", "<> /dev/null no", "<> /dev/zero yes", "refused"]);
});

kernelTest("hundreds of rules pass the kernel's verifier", needs, async (scratch) => {
  const rules: DeviceRule[] = [
    { allow: false },
    ...Array.from(
      { length: 500 },
      (_, minor): DeviceRule => ({ allow: true, type: "b", major: 8, minor, access: "r" }),
    ),
    { allow: true, type: "c", major: 1, minor: 5 },
  ];
  const output = await runWith(scratch, rules, `${tryOpen}\n opens '<' /dev/zero; opens '<' /dev/full`);
  expect(output.split("\n")).toEqual(["< /dev/zero yes", "< /dev/full no"]);
});
