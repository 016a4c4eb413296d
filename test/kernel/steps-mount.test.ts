/** Mount steps: overlay in all its forms, binds, the change of root. */

import { expect } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CLONE_NEWPID, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_RDONLY } from "../../src/kernel/linux.ts";
import { type Bare, type Environment, runChild, runWithMounts } from "./child.ts";
import { kernelTest } from "./harness.ts";

/** EINVAL at the first lower directory, as from Linux before 6.7. */
const oldOverlay: Environment = { ORLOP_POINT: "overlay.lower:22" };

const forms: [string, Environment][] = [
  ["one lower directory at a time", {}],
  ["as one text", oldOverlay],
];

/** Directories, each with its files. */
function lay(directory: string, files: Readonly<Record<string, string>>): string {
  mkdirSync(directory, { recursive: true });
  for (const [name, content] of Object.entries(files)) writeFileSync(join(directory, name), content);
  return directory;
}

function overlayIn(directory: string, lowers: string[]): Bare {
  for (const name of ["merged", "upper", "work"]) mkdirSync(join(directory, name), { recursive: true });
  const at = (name: string) => join(directory, name);
  return { op: "overlay", target: at("merged"), lowers, upper: at("upper"), work: at("work"), options: ["volatile"] };
}

for (const [form, env] of forms) {
  kernelTest(
    `overlay, ${form}: the topmost lower wins, and writes go to the upper`,
    ["root", "executor", "overlay"],
    async ({ directory }) => {
      const top = lay(join(directory, "top"), { both: "top" });
      const bottom = lay(join(directory, "bottom"), { both: "bottom", low: "low" });
      const { output, status } = await runWithMounts({
        steps: [overlayIn(directory, [top, bottom])],
        run: `cd ${directory}/merged && cat both low && echo new > low && rm both`,
        env,
      });
      expect([output, status]).toEqual(["toplow", 0]);
      expect(readFileSync(join(bottom, "low"), "utf8")).toBe("low");
      expect(readFileSync(join(directory, "upper/low"), "utf8")).toBe("new\n");
      expect(existsSync(join(top, "both"))).toBe(true);
    },
  );

  kernelTest(
    `overlay, ${form}: directories that a start mounted which was cut off are mounted again`,
    ["root", "executor", "overlay"],
    async ({ directory }) => {
      const steps = [overlayIn(directory, [lay(join(directory, "lower"), { file: "content" })])];
      const first = await runWithMounts({ steps, run: `echo 1 > ${directory}/merged/made`, env });
      expect(first.status).toBe(0);
      expect(existsSync(join(directory, "work/work/incompat/volatile"))).toBe(true);
      const { output } = await runWithMounts({ steps, run: `cd ${directory}/merged; cat file made`, env });
      expect(output).toBe("content1\n");
    },
  );

  kernelTest(
    `overlay, ${form}: a path may hold colons, commas and backslashes`,
    ["root", "executor", "overlay"],
    async ({ directory }) => {
      const odd = join(directory, "a:b,c\\d");
      const lower = lay(join(odd, "lower"), { file: "content" });
      const { output } = await runWithMounts({
        steps: [overlayIn(odd, [lower])],
        run: `cat '${odd}/merged/file'; echo x > '${odd}/merged/made'`,
        env,
      });
      expect(output).toBe("content");
      expect(readFileSync(join(odd, "upper/made"), "utf8")).toBe("x\n");
    },
  );
}

kernelTest(
  "overlay: forty lowers with paths that fit in no page",
  ["root", "executor", "overlay"],
  async ({ directory }) => {
    const deep = join(directory, "d".repeat(200), "e".repeat(200));
    const lowers = Array.from({ length: 40 }, (_, i) => lay(join(deep, `layer${i}`), { [`file${i}`]: `${i} ` }));
    const { output } = await runWithMounts({
      steps: [overlayIn(directory, lowers)],
      run: `cd ${directory}/merged && cat file0 file39 && ls | wc -l`,
    });
    expect(output).toBe("0 39 40\n");
  },
);

kernelTest(
  "overlay: without an upper directory it is read-only",
  ["root", "executor", "overlay"],
  async ({ directory }) => {
    const lowers = [lay(join(directory, "a"), { a: "a" }), lay(join(directory, "b"), { b: "b" })];
    const target = lay(join(directory, "merged"), {});
    const { output, status } = await runWithMounts({
      steps: [{ op: "overlay", target, lowers, upper: "", work: "", options: [] }],
      run: `cd ${target} && cat a b && touch c`,
    });
    expect(output).toContain("ab");
    expect(output).toContain("Read-only file system");
    expect(status).not.toBe(0);
  },
);

kernelTest("mount: the file system's own words say what is wrong", ["root", "executor"], async ({ directory }) => {
  const step: Bare = {
    op: "mount",
    fstype: "tmpfs",
    source: "t",
    target: directory,
    attributes: 0,
    options: ["colour=red"],
  };
  const failure = runWithMounts({ steps: [step], run: "true" });
  await expect(failure).rejects.toMatchObject({ name: "StepFailure", errno: "EINVAL", index: 2 });
  await expect(failure).rejects.toThrow(/mount: EINVAL: .*colour/);
});

kernelTest("mount: attributes and options hold", ["root", "executor"], async ({ directory }) => {
  const { output } = await runWithMounts({
    steps: [
      {
        op: "mount",
        fstype: "tmpfs",
        source: "name",
        target: directory,
        attributes: MOUNT_ATTR_NOEXEC,
        options: ["size=64k", "mode=701"],
      },
    ],
    run: `grep ${directory} /proc/self/mountinfo; stat -c %a ${directory}`,
  });
  expect(output).toMatch(/rw,noexec.* tmpfs name rw,size=64k,mode=701/);
  expect(output).toEndWith("701\n");
});

kernelTest("bind: read-only reaches the mounts below only with flag 2", ["root", "executor"], async ({ directory }) => {
  const source = lay(join(directory, "source"), {});
  const target = lay(join(directory, "target"), {});
  mkdirSync(join(source, "sub"));
  const below: Bare = {
    op: "mount",
    fstype: "tmpfs",
    source: "t",
    target: join(source, "sub"),
    attributes: 0,
    options: [],
  };
  const writes = `touch ${target}/a 2>/dev/null || echo top; touch ${target}/sub/a 2>/dev/null || echo sub`;
  const bind = (flags: number): Bare => ({ op: "bind", source, target, flags, set: MOUNT_ATTR_RDONLY, clear: 0 });
  expect((await runWithMounts({ steps: [below, bind(1)], run: writes })).output).toBe("top\n");
  expect((await runWithMounts({ steps: [below, bind(3)], run: writes })).output).toBe("top\nsub\n");
});

kernelTest(
  "pivot: nothing of the host's mounts is left",
  ["root", "executor", "overlay", "busybox"],
  async ({ directory }) => {
    mkdirSync(join(directory, "old/bin"), { recursive: true });
    const { output } = await runWithMounts({
      flags: CLONE_NEWPID,
      steps: [
        overlayIn(directory, ["/"]),
        { op: "root", path: join(directory, "merged") },
        { op: "root-mount", fstype: "proc", source: "proc", target: "/proc", attributes: 0, options: [] },
        { op: "pivot", propagation: 0 },
      ],
      run: "cut -d' ' -f5 /proc/self/mountinfo; pwd; echo $$",
    });
    expect(output).toBe("/\n/proc\n/\n1\n");
  },
);

kernelTest("pivot without a root, and root-* after it, are refused", ["root", "executor"], async ({ directory }) => {
  await expect(runChild({ steps: [{ op: "pivot", propagation: 0 }], run: "true" })).rejects.toMatchObject({
    errno: "EBADF",
  });
  const late = runWithMounts({
    steps: [
      { op: "bind", source: "/", target: directory, flags: 1, set: 0, clear: 0 },
      { op: "root", path: directory },
      { op: "pivot", propagation: 0 },
      { op: "root-mask", path: "/etc" },
    ],
    run: "true",
  });
  await expect(late).rejects.toMatchObject({ errno: "EBADF", step: { op: "root-mask" } });
});
