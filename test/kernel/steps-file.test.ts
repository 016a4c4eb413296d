/** Steps on the host's files, and on cgroups. */

import { expect } from "bun:test";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { waitUntil } from "../wait-until.ts";
import { type Bare, runChild, runSteps, runWithMounts } from "./child.ts";
import { kernelTest, type Need } from "./harness.ts";
import { isAlive } from "./supervisor-fixture.ts";

const needs: readonly Need[] = ["root", "executor"];
const bytes = (text: string): Uint8Array => Buffer.from(text);
const text = (value: Uint8Array | undefined): string => Buffer.from(value ?? []).toString();

kernelTest("mkdir makes parents, and an existing directory is fine", needs, async ({ directory }) => {
  const path = join(directory, "a/b/c");
  await runSteps([
    { op: "mkdir", path, mode: 0o700 },
    { op: "mkdir", path, mode: 0o700 },
  ]);
  expect(statSync(path).mode & 0o777).toBe(0o700);
  expect(statSync(join(directory, "a")).mode & 0o777).toBe(0o755);
  writeFileSync(join(directory, "file"), "");
  const over = (at: string) => runSteps([{ op: "mkdir", path: join(directory, at), mode: 0o700 }]);
  await expect(over("file")).rejects.toMatchObject({ errno: "ENOTDIR" });
  await expect(over("file/below")).rejects.toMatchObject({ errno: "ENOTDIR" });
});

kernelTest("write neither makes nor cuts a file", needs, async ({ directory }) => {
  const path = join(directory, "file");
  await expect(runSteps([{ op: "write", path, data: bytes("x") }])).rejects.toMatchObject({
    errno: "ENOENT",
    detail: path,
  });
  writeFileSync(path, "abcdef");
  await runSteps([{ op: "write", path, data: bytes("XY") }]);
  expect(readFileSync(path, "utf8")).toBe("XYcdef");
});

kernelTest(
  "try-write answers with the errno of what is missing, and fails for what is wrong",
  needs,
  async ({ directory }) => {
    const attempt = (path: string, data: string) => runSteps([{ op: "try-write", path, data: bytes(data) }]);
    expect(text((await attempt(join(directory, "none"), "x")).values.get(0))).toBe("2");
    writeFileSync(join(directory, "there"), "");
    expect((await attempt(join(directory, "there"), "x")).values.size).toBe(0);
    await expect(attempt("/proc/sys/kernel/threads-max", "nonsense")).rejects.toMatchObject({ errno: "EINVAL" });
  },
);

kernelTest("read gives content up to the limit of a frame", needs, async ({ directory }) => {
  const path = join(directory, "file");
  writeFileSync(path, "a\0b");
  expect(text((await runSteps([{ op: "read", path }])).values.get(0))).toBe("a\0b");
  writeFileSync(path, Buffer.alloc(1_000_000, "x"));
  expect((await runSteps([{ op: "read", path }])).values.get(0)?.length).toBe(1_000_000);
  writeFileSync(path, Buffer.alloc(2_000_000));
  await expect(runSteps([{ op: "read", path }])).rejects.toMatchObject({ errno: "EFBIG" });
});

kernelTest("file replaces at once, with its mode, and leaves no temporary file", needs, async ({ directory }) => {
  const path = join(directory, "file");
  const write = (content: string, mode: number): Bare => ({ op: "file", path, mode, data: bytes(content) });
  await runSteps([{ op: "umask", mask: 0o77 }, write("first", 0o644), write("second", 0o640)]);
  expect([readFileSync(path, "utf8"), statSync(path).mode & 0o777]).toEqual(["second", 0o640]);
  mkdirSync(join(directory, "dir"));
  const over = runSteps([{ op: "file", path: join(directory, "dir"), mode: 0o600, data: bytes("x") }]);
  await expect(over).rejects.toMatchObject({ errno: "EISDIR" });
  expect(readdirSync(directory).sort()).toEqual(["dir", "file"]);
});

kernelTest("remove takes a tree away, and what its links point to stays", needs, async ({ directory }) => {
  const tree = join(directory, "tree");
  const outside = join(directory, "outside");
  mkdirSync(join(tree, "a/b"), { recursive: true });
  mkdirSync(outside);
  writeFileSync(join(outside, "kept"), "");
  writeFileSync(join(tree, "a/b/file"), "");
  symlinkSync(outside, join(tree, "a/link"));
  chmodSync(join(tree, "a/b"), 0);
  await runSteps([
    { op: "remove", path: tree },
    { op: "remove", path: tree },
  ]);
  expect(existsSync(tree)).toBe(false);
  expect(readdirSync(outside)).toEqual(["kept"]);
  symlinkSync(outside, join(directory, "link"));
  await runSteps([{ op: "remove", path: join(directory, "link") }]);
  expect(readdirSync(outside)).toEqual(["kept"]);
});

kernelTest("remove stops at a mount", needs, async ({ directory }) => {
  const tree = join(directory, "tree");
  mkdirSync(join(tree, "mounted"), { recursive: true });
  const steps: Bare[] = [
    { op: "mount", fstype: "tmpfs", source: "t", target: join(tree, "mounted"), attributes: 0, options: [] },
    { op: "root", path: join(tree, "mounted") },
    { op: "root-file", path: "/kept", mode: 0o600, data: bytes("x") },
    { op: "remove", path: tree },
  ];
  await expect(runWithMounts({ steps, run: "true" })).rejects.toMatchObject({ errno: "EBUSY", step: { op: "remove" } });
});

kernelTest(
  "remove stops at a bind mount of the same file system, whose files are another's",
  needs,
  async (scratch) => {
    const [tree, other] = [join(scratch.directory, "tree"), join(scratch.directory, "other")];
    mkdirSync(join(tree, "deep/mounted"), { recursive: true });
    mkdirSync(other);
    writeFileSync(join(other, "kept"), "");
    const steps: Bare[] = [
      { op: "bind", source: other, target: join(tree, "deep/mounted"), flags: 0, set: 0, clear: 0 },
      { op: "remove", path: tree },
    ];
    await expect(runWithMounts({ steps, run: "true" })).rejects.toMatchObject({
      errno: "EBUSY",
      step: { op: "remove" },
    });
    expect(readdirSync(other)).toEqual(["kept"]);
  },
);

kernelTest("usage adds up files, a file with two names once, links not followed", needs, async ({ directory }) => {
  const tree = join(directory, "tree");
  const outside = join(directory, "outside");
  mkdirSync(join(tree, "a/b"), { recursive: true });
  mkdirSync(outside);
  writeFileSync(join(outside, "large"), Buffer.alloc(1_000_000));
  writeFileSync(join(tree, "a/b/file"), Buffer.alloc(1001));
  linkSync(join(tree, "a/b/file"), join(tree, "a/same"));
  symlinkSync(outside, join(tree, "a/link"));
  const usage = async (...paths: string[]) => text((await runSteps([{ op: "usage", paths }])).values.get(0));
  expect(await usage(tree)).toBe(String(1001 + outside.length));
  expect(await usage(tree, join(directory, "missing"), outside)).toBe(String(1_001_001 + outside.length));
  await expect(usage(join(tree, "a/link"))).rejects.toMatchObject({ errno: "ENOTDIR" });
});

/** Directories in each other with a file of 1000 bytes in each of three, and beside each a directory with another. */
const deep = `
  for my $level (0 .. 4999) {
    mkdir "d" and mkdir "side" or die $!;
    if ($level % 2000 == 0) { for my $at ("file", "side/file") { open my $file, ">", $at or die $!; print $file "x" x 1000; } }
    chdir "d" or die $!;
  }`;

kernelTest("a tree of any depth is added up and removed: containers make such", needs, async ({ directory }) => {
  const tree = join(directory, "tree");
  mkdirSync(tree);
  execFileSync("perl", ["-e", deep], { cwd: tree });
  writeFileSync(join(tree, "orlop-lifted-0"), "a name that is taken");
  expect(text((await runSteps([{ op: "usage", paths: [tree] }])).values.get(0))).toBe(String(6000 + 20));
  await runSteps([{ op: "remove", path: tree }]);
  expect(readdirSync(directory)).toEqual([]);
});

kernelTest("write-until writes until the state is reached, or its time is over", needs, async ({ directory }) => {
  const path = join(directory, "state");
  writeFileSync(path, "THAWED");
  const until = (line: string, timeoutMs: number, target = path): Bare => ({
    op: "write-until",
    path: target,
    data: bytes("FROZEN"),
    state: path,
    line,
    timeoutMs,
  });
  await runSteps([until("FROZEN", 1000)]);
  expect(readFileSync(path, "utf8")).toBe("FROZEN");
  for (const line of ["FROZ", "FROZENER", "ROZEN"])
    await expect(runSteps([until(line, 20)])).rejects.toMatchObject({ errno: "ETIMEDOUT" });
  await expect(runSteps([until("x", 20, join(directory, "none"))])).rejects.toMatchObject({ errno: "ENOENT" });
});

kernelTest("keep-open says which file is not there, and follows no link", needs, async ({ directory }) => {
  const [there, link, missing] = ["there", "link", "missing"].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ];
  writeFileSync(there, "kept");
  symlinkSync(there, link);
  await runSteps([{ op: "keep-open", paths: [there] }]);
  expect(readFileSync(there, "utf8")).toBe("kept");
  const keep = (...paths: string[]) => runSteps([{ op: "keep-open", paths }]);
  await expect(keep(there, missing)).rejects.toMatchObject({ errno: "ENOENT", detail: missing });
  await expect(keep(link)).rejects.toMatchObject({ errno: "ELOOP", detail: link });
});

kernelTest("rmdir and chown", needs, async ({ directory }) => {
  const path = join(directory, "dir");
  symlinkSync("/nowhere", join(directory, "link"));
  await runSteps([
    { op: "mkdir", path, mode: 0o700 },
    { op: "rmdir", path },
    { op: "rmdir", path },
    { op: "chown", path: join(directory, "link"), uid: 5, gid: 6 },
  ]);
  expect(existsSync(path)).toBe(false);
  mkdirSync(join(path, "full"), { recursive: true });
  await expect(runSteps([{ op: "rmdir", path }])).rejects.toMatchObject({ errno: "ENOTEMPTY" });
});

kernelTest(
  "a frozen cgroup v1 group is emptied, forks included",
  [...needs, "cgroup1"],
  async ({ directory, defer }) => {
    const group = `/sys/fs/cgroup/freezer/${basename(directory)}`;
    defer(() => runSteps([{ op: "rmdir", path: group }]).then(() => undefined));
    await runSteps([{ op: "mkdir", path: group, mode: 0o755 }]);
    // three levels of processes that go on forking, and outlive the one that we wait for
    const script = "(while :; do sleep 0.01; done) & sh -c 'sleep 60 & sleep 60' & exit 0";
    const join_: Bare = { op: "write", path: `${group}/tasks`, data: bytes("0") };
    await runChild({ steps: [join_], run: `(${script}) >/dev/null 2>&1` });
    const tasks = () =>
      readFileSync(`${group}/tasks`, "utf8")
        .split("\n")
        .filter((line) => line !== "");
    await waitUntil(() => tasks().length > 2, 5000, "all of them are there");
    await runSteps([{ op: "kill-group", tasks: `${group}/tasks`, freezer: `${group}/freezer.state` }]);
    expect(tasks()).toEqual([]);
  },
);

kernelTest(
  "groups that a container made below its own go with it, processes included",
  [...needs, "cgroup1"],
  async ({ directory, defer }) => {
    const group = `/sys/fs/cgroup/freezer/${basename(directory)}`;
    const below = `${group}/engine/inner`;
    mkdirSync(below, { recursive: true });
    const sleeper = Bun.spawn(["sleep", "60"]);
    defer(async () => {
      sleeper.kill("SIGKILL");
      await sleeper.exited;
    });
    writeFileSync(`${below}/tasks`, String(sleeper.pid));
    await runSteps([
      { op: "kill-group", tasks: `${group}/tasks`, freezer: `${group}/freezer.state` },
      { op: "rmdir", path: group },
    ]);
    expect([isAlive(sleeper.pid), existsSync(group)]).toEqual([false, false]);
  },
);

kernelTest(
  "a group is emptied without a freezer, and an empty or missing one is fine",
  [...needs, "cgroup1"],
  async ({ directory, defer }) => {
    const group = `/sys/fs/cgroup/pids/${basename(directory)}`;
    defer(() => runSteps([{ op: "rmdir", path: group }]).then(() => undefined));
    await runSteps([{ op: "mkdir", path: group, mode: 0o755 }]);
    const sleeper = Bun.spawn(["sleep", "60"]);
    defer(async () => {
      sleeper.kill("SIGKILL");
      await sleeper.exited;
    });
    writeFileSync(`${group}/tasks`, String(sleeper.pid));
    const empty: Bare = { op: "kill-group", tasks: `${group}/tasks`, freezer: "" };
    await runSteps([empty, empty, { op: "kill-group", tasks: `${directory}/none`, freezer: "" }]);
    await waitUntil(() => !isAlive(sleeper.pid), 5000, "the process is gone");
  },
);

/** Where cgroup2 is mounted: /sys/fs/cgroup, or beside the v1 hierarchies. */
function cgroup2(): string {
  const line = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .find((entry) => entry.includes(" - cgroup2 "));
  return line?.split(" ")[4] ?? "";
}

/** r0 = allow; exit: struct bpf_insn twice. */
const answer = (allow: 0 | 1): Uint8Array => Uint8Array.of(0xb7, 0, 0, 0, allow, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0);

kernelTest(
  "a child is cloned into its v2 group, and the device program decides there",
  [...needs, "cgroup2-mount"],
  async ({ directory, defer }) => {
    const group = `${cgroup2()}/${basename(directory)}`;
    defer(() => runSteps([{ op: "rmdir", path: group }]).then(() => undefined));
    const inGroup = (program: Uint8Array) =>
      runChild({
        before: [
          { op: "mkdir", path: group, mode: 0o755 },
          { op: "device-program", group, program },
        ],
        group,
        run: "cat /proc/self/cgroup; cat /dev/zero | head -c 0; cat /dev/null && echo allowed",
      });
    const allowed = await inGroup(answer(1));
    expect(allowed.output).toContain(`0::/${basename(directory)}\n`);
    expect(allowed.output).toEndWith("allowed\n");
    const denied = await inGroup(answer(0));
    expect(denied.output).toMatch(/\/dev\/null'?: Operation not permitted/); // coreutils, busybox
    expect(denied.output).not.toContain("allowed");
  },
);

kernelTest("a device program that the verifier refuses fails with its words", [...needs, "cgroup2-mount"], async () => {
  const endless = Uint8Array.of(0x05, 0, 0xff, 0xff, 0, 0, 0, 0); // jump to itself
  const failure = runSteps([{ op: "device-program", group: cgroup2(), program: endless }]);
  await expect(failure).rejects.toMatchObject({ errno: "EINVAL" });
  await expect(failure).rejects.toThrow(/load: .+/);
});

kernelTest(
  "spread marks a directory of ext4, where what is made in it lies apart; elsewhere it is fine",
  needs,
  async ({ directory }) => {
    const [image, place] = [join(directory, "image"), join(directory, "place")];
    execFileSync("truncate", ["-s", "8M", image]);
    execFileSync("mkfs.ext4", ["-q", image]);
    mkdirSync(place);
    execFileSync("mount", ["-o", "loop", image, place]);
    try {
      mkdirSync(join(place, "containers"));
      await runSteps([
        { op: "spread", path: join(place, "containers") },
        { op: "spread", path: join(place, "containers") },
      ]);
      expect(execFileSync("lsattr", ["-d", join(place, "containers")], { encoding: "utf8" })).toMatch(/^[-a-zA-Z]*T/);
    } finally {
      execFileSync("umount", [place]);
    }
    await runSteps([{ op: "spread", path: "/proc" }]);
    await runSteps([{ op: "spread", path: "/dev/shm" }]);
    await expect(runSteps([{ op: "spread", path: join(directory, "missing") }])).rejects.toMatchObject({
      errno: "ENOENT",
    });
    await expect(runSteps([{ op: "spread", path: image }])).rejects.toMatchObject({ errno: "ENOTDIR" });
  },
);
