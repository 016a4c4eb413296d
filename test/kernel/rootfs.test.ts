import { expect } from "bun:test";
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseMountInfo } from "../../src/kernel/mountinfo.ts";
import type { Mount, RuntimeSpec } from "../../src/spec/runtime-spec.ts";
import { planDirectory } from "../../src/storage/directory.ts";
import { busyboxRoot, runContainer } from "./container.ts";
import { kernelTest } from "./harness.ts";

const needs = ["root", "executor", "busybox", "overlay"] as const;

const withMounts = (...mounts: Mount[]) => ({
  change: (spec: RuntimeSpec): RuntimeSpec => ({ ...spec, mounts: [...(spec.mounts ?? []), ...mounts] }),
});

kernelTest("a directory as root: changes stay inside", [...needs], async (scratch) => {
  const root = busyboxRoot(scratch.directory);
  const { stdout } = await runContainer(scratch, "echo x > /etc/passwd; rm /bin/ls; touch /new; cat /etc/passwd");
  expect(stdout).toBe("x\n");
  expect(readFileSync(join(root, "etc/passwd"), "utf8")).toStartWith("root:");
  expect([existsSync(join(root, "bin/ls")), existsSync(join(root, "new"))]).toEqual([true, false]);
});

kernelTest(
  "a read-only root takes no change; /dev, /tmp mounts and own files do their work",
  [...needs],
  async (scratch) => {
    const { stdout, stderr } = await runContainer(
      scratch,
      "touch /x; touch /dev/shm/y && echo shm; touch /tmp/z && echo tmp",
      {
        readonlyRoot: true,
        ...withMounts({ destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["nosuid", "mode=1777"] }),
      },
    );
    expect(stdout).toBe("shm\ntmp\n");
    expect(stderr).toBe("touch: /x: Read-only file system\n");
  },
);

kernelTest("binds: a directory, a file, read-only with all below it", [...needs], async (scratch) => {
  const source = join(scratch.directory, "source");
  mkdirSync(join(source, "sub"), { recursive: true });
  writeFileSync(join(source, "file"), "content\n");
  const script = `cat /made/for/it/file /single; echo more > /made/for/it/new
    echo no > /fixed/file; touch /fixed/sub/x; stat -c %F /made/for/it /single`;
  const { stdout, stderr } = await runContainer(
    scratch,
    script,
    withMounts(
      { destination: "/made/for/it", type: "bind", source, options: ["rbind", "rprivate"] },
      { destination: "/single", type: "bind", source: join(source, "file"), options: ["bind"] },
      { destination: "/fixed", type: "bind", source, options: ["rbind", "rro"] },
    ),
  );
  expect(stdout).toBe("content\ncontent\ndirectory\nregular file\n");
  expect(stderr.match(/Read-only file system/g)).toHaveLength(2);
  expect(readFileSync(join(source, "new"), "utf8")).toBe("more\n");
});

kernelTest(
  "links in the root lead nowhere outside: mounts, own files and the working directory stay in it",
  [...needs],
  async (scratch) => {
    const root = busyboxRoot(scratch.directory);
    const outside = join(scratch.directory, "outside");
    const etc = join(scratch.directory, "outside-etc");
    for (const directory of [outside, etc]) mkdirSync(directory);
    writeFileSync(join(etc, "hosts"), "untouched\n");
    symlinkSync(outside, join(root, "absolute"));
    symlinkSync(`../../../../../..${outside}`, join(root, "relative"));
    symlinkSync(join(etc, "hosts"), join(root, "etc/hosts"));
    const { stdout } = await runContainer(
      scratch,
      "cat /etc/hosts; touch /absolute/a /relative/b; mount | grep -c outside",
      {
        ...withMounts(
          { destination: "/absolute", type: "tmpfs", source: "tmpfs" },
          { destination: "/relative", type: "tmpfs", source: "tmpfs" },
        ),
        input: { files: [{ path: "/etc/hosts", mode: 0o644, content: "its own\n", why: "test" }] },
      },
    );
    expect(stdout).toBe("its own\n3\n");
    expect(readFileSync(join(etc, "hosts"), "utf8")).toBe("untouched\n");
    expect([existsSync(join(outside, "a")), existsSync(join(outside, "b"))]).toEqual([false, false]);
  },
);

kernelTest("a directory with Orlop's state in it is no root", [...needs], (scratch) => {
  const upper = { kind: "tmpfs", mountPoint: "/run/orlop/upper" } as const;
  // what `mount --bind /srv/data/orlop SCRATCH/state` leaves
  const bound = `2 1 8:1 /srv/data/orlop ${scratch.directory}/state rw - ext4 /dev/a rw\n`;
  const mounts = parseMountInfo(`1 0 8:1 / / rw - ext4 /dev/a rw\n${bound}`);
  const hidden = [join(scratch.directory, "state")];
  const plan = (directory: string) =>
    planDirectory({ directory, mountPoint: "/run/orlop/root", upper, hidden, view: { mounts } });
  for (const directory of [
    "/",
    scratch.directory,
    join(scratch.directory, "state/x"),
    "/srv/data",
    "/srv/data/orlop/x",
  ])
    expect(() => plan(directory)).toThrow("root directory");
  expect(plan(join(scratch.directory, "other")).mountPoint).toBe("/run/orlop/root");
});

kernelTest("a failing step leaves no mount and no group behind", [...needs], async (scratch) => {
  const missing = { destination: "/x", type: "bind", source: join(scratch.directory, "missing"), options: ["bind"] };
  await expect(runContainer(scratch, "true", withMounts(missing))).rejects.toThrow("ENOENT");
});
