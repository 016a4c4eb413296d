/** `root-*` steps on hostile trees: whatever the links say, nothing outside the root is read or changed. */

import { expect } from "bun:test";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { MS_REC, MS_SLAVE, S_IFCHR, S_IFIFO } from "../../src/kernel/linux.ts";
import { type Bare, because, type Environment, runSteps, runWithMounts } from "./child.ts";
import { kernelTest } from "./harness.ts";

/** Both ways in which a path is resolved: the second one is for kernels without openat2. */
const ways: [string, Environment][] = [
  ["openat2", {}],
  ["a walk without openat2", { ORLOP_NO_OPENAT2: "1" }],
];

interface Tree {
  readonly root: string;
  /** A directory beside the root, with a file `victim`: nothing may change here. */
  readonly outside: string;
}

/** A root below `directory`, with these links in it. */
function plant(directory: string, links: Readonly<Record<string, string>>): Tree {
  const root = join(directory, "root");
  const outside = join(directory, "outside");
  mkdirSync(join(root, "etc"), { recursive: true });
  mkdirSync(outside);
  writeFileSync(join(outside, "victim"), "whole");
  for (const [name, target] of Object.entries(links)) symlinkSync(target.replace("OUTSIDE", outside), join(root, name));
  return { root, outside };
}

function expectUntouched({ outside }: Tree): void {
  expect(readdirSync(outside)).toEqual(["victim"]);
  expect(readFileSync(join(outside, "victim"), "utf8")).toBe("whole");
}

const write = (path: string): Bare => ({ op: "root-file", path, mode: 0o640, data: Buffer.from("written") });

/** links in the root; the path that is written; where below the root it must arrive. */
const hostile: [string, Record<string, string>, string, (tree: Tree) => string][] = [
  ["an absolute link to a directory", { dir: "OUTSIDE" }, "/dir/victim", ({ outside }) => `${outside}/victim`],
  ["an absolute link to a file", { file: "OUTSIDE/victim" }, "/file", ({ outside }) => `${outside}/victim`],
  ["a relative link with many ..", { up: "../../../../../../../../etc" }, "/up/new", () => "/etc/new"],
  ["a path with many ..", {}, "/etc/../../../../../../etc/new", () => "/etc/new"],
  ["a link to a link", { a: "b/new", b: "/etc/../etc" }, "/a", () => "/etc/new"],
  ["a dangling link in the middle", { var: "/run/here" }, "/var/new", () => "/run/here/new"],
  ["a dangling link at the end", { "resolv.conf": "../run/stub.conf" }, "/resolv.conf", () => "/run/stub.conf"],
  ["a link to the root", { top: "/" }, "/top/top/etc/new", () => "/etc/new"],
];

for (const [way, env] of ways) {
  for (const [what, links, path, arrives] of hostile) {
    kernelTest(`root-file by ${way}: ${what} stays inside`, ["root", "executor"], async ({ directory }) => {
      const tree = plant(directory, links);
      await runSteps([{ op: "root", path: tree.root }, write(path)], env);
      expectUntouched(tree);
      expect(readFileSync(join(tree.root, arrives(tree)), "utf8")).toBe("written");
    });
  }

  kernelTest(`by ${way}: a loop of links is ELOOP`, ["root", "executor"], async ({ directory }) => {
    const { root } = plant(directory, { a: "b", b: "a" });
    const failure = runSteps([{ op: "root", path: root }, write("/a/x")], env);
    await expect(failure).rejects.toMatchObject({ errno: "ELOOP", index: 1 });
  });

  kernelTest(
    `by ${way}: a file in the middle is ENOTDIR, a name over 255 bytes ENAMETOOLONG`,
    ["root", "executor"],
    async ({ directory }) => {
      const { root } = plant(directory, {});
      writeFileSync(join(root, "file"), "");
      const at = (path: string) => runSteps([{ op: "root", path: root }, write(path)], env);
      await expect(at("/file/x")).rejects.toMatchObject({ errno: "ENOTDIR" });
      await expect(at(`/${"n".repeat(256)}/x`)).rejects.toMatchObject({ errno: "ENAMETOOLONG" });
    },
  );

  kernelTest(`by ${way}: procfs's magic links lead nowhere`, ["root", "executor"], async ({ directory }) => {
    const tree = plant(directory, { host: "proc/self/root" });
    const steps: Bare[] = [
      { op: "root", path: tree.root },
      { op: "root-mount", fstype: "proc", source: "proc", target: "/proc", attributes: 0, options: [] },
      write(`/host${tree.outside}/victim`),
    ];
    await runWithMounts({ steps, run: "true", env }).catch((error: unknown) => {
      expect(error).toMatchObject({ name: "StepFailure", step: { op: "root-file" } });
    });
    expectUntouched(tree);
  });

  for (const fstype of ["proc", "sysfs"]) {
    kernelTest(`by ${way}: ${fstype} is never mounted through a link`, ["root", "executor"], async ({ directory }) => {
      const { root } = plant(directory, { here: "etc", away: "OUTSIDE" });
      const at = (target: string) =>
        runWithMounts({
          steps: [
            { op: "root", path: root },
            { op: "root-mount", fstype, source: fstype, target, attributes: 0, options: [] },
          ],
          run: "true",
          env,
        });
      await expect(at("/here")).rejects.toMatchObject({
        errno: "ENOTDIR",
        detail: "/here is not a directory of its own",
      });
      await expect(at("/away")).rejects.toMatchObject({ errno: "ENOTDIR" });
      expect((await at("/made")).status).toBe(0);
    });
  }

  kernelTest(`by ${way}: binds, masks and mounts land inside`, ["root", "executor"], async ({ directory }) => {
    const tree = plant(directory, { dir: "OUTSIDE", proc: "OUTSIDE" });
    const steps: Bare[] = [
      { op: "root", path: tree.root },
      { op: "root-mkdir", path: "/dir/made", mode: 0o700 },
      { op: "root-bind", source: "/etc", target: "/dir/bound", flags: 1, set: 0, clear: 0, propagation: 0 },
      { op: "root-mount", fstype: "tmpfs", source: "tmpfs", target: "/proc", attributes: 0, options: [] },
      { op: "root-mask", path: "/dir/victim" },
    ];
    const { output } = await runWithMounts({
      steps,
      run: `cat ${tree.outside}/victim; cd ${tree.root}; cut -d' ' -f5 /proc/self/mountinfo | grep ${directory} | sort`,
      env,
    });
    const inside = join(tree.root, tree.outside);
    expect(output).toBe(`whole${inside}\n${inside}/bound\n`);
    expectUntouched(tree);
  });
}

kernelTest(
  "root-file refuses what is not a regular file, without opening it",
  ["root", "executor"],
  async ({ directory }) => {
    const { root } = plant(directory, {});
    const node: Bare = {
      op: "root-mknod",
      path: "/pipe",
      kind: S_IFIFO,
      mode: 0o600,
      major: 0,
      minor: 0,
      uid: 0,
      gid: 0,
      source: "",
    };
    const failure = runSteps([{ op: "root", path: root }, node, write("/pipe")]);
    await expect(failure).rejects.toMatchObject({ errno: "EINVAL", detail: "/pipe is not a regular file" });
  },
);

kernelTest("root-symlink replaces a link and nothing else", ["root", "executor"], async ({ directory }) => {
  const { root } = plant(directory, { link: "old" });
  const link = (path: string): Bare => ({ op: "root-symlink", target: "new", path });
  await runSteps([{ op: "root", path: root }, link("/link"), link("/made/deep")]);
  expect(readlinkSync(join(root, "link"))).toBe("new");
  expect(readlinkSync(join(root, "made/deep"))).toBe("new");
  await expect(runSteps([{ op: "root", path: root }, link("/etc")])).rejects.toMatchObject({ errno: "EEXIST" });
});

kernelTest(
  "root-mknod gives number, mode and owner, whatever the umask",
  ["root", "executor"],
  async ({ directory }) => {
    const { root } = plant(directory, {});
    const node: Bare = {
      op: "root-mknod",
      path: "/dev/zero",
      kind: S_IFCHR,
      mode: 0o666,
      major: 1,
      minor: 5,
      uid: 7,
      gid: 8,
      source: "",
    };
    await runSteps([{ op: "umask", mask: 0o77 }, { op: "root", path: root }, node]);
    const made = lstatSync(join(root, "dev/zero"));
    expect([made.isCharacterDevice(), made.mode & 0o777, made.uid, made.gid, made.rdev]).toEqual([
      true,
      0o666,
      7,
      8,
      0x105,
    ]);
  },
);

kernelTest(
  "a masked file is /dev/null, a masked directory is empty and cannot be written",
  ["root", "executor"],
  async ({ directory }) => {
    const { root } = plant(directory, {});
    for (const name of ["secret", "other"]) {
      mkdirSync(join(root, name));
      writeFileSync(join(root, name, "inside"), "x");
    }
    writeFileSync(join(root, "file"), "x");
    const paths = ["/file", "/secret", "/other", "/missing", "/file/missing"];
    const { output } = await runWithMounts({
      steps: [{ op: "root", path: root }, ...paths.map((path): Bare => ({ op: "root-mask", path }))],
      run: `cd ${root}; stat -c %t:%T file; ls secret other; touch secret/new || mount -o remount,rw secret; touch other/new`,
    });
    expect(output).toStartWith("1:3\nother:\n\nsecret:\n");
    expect(output.match(/Read-only file system/g)?.length).toBe(2);
    expect(existsSync(join(root, "missing"))).toBe(false);
  },
);

kernelTest(
  "a device that is not the one meant is never bound",
  ["root", "executor", "userns"],
  async ({ directory }) => {
    const { root } = plant(directory, {});
    const node = (source: string): Bare => ({
      op: "root-mknod",
      path: "/null",
      kind: S_IFCHR,
      mode: 0o666,
      major: 1,
      minor: 3,
      uid: 0,
      gid: 0,
      source,
    });
    const steps = (source: string): Bare[] => [
      { op: "capabilities", effective: 1n << 21n, permitted: 1n << 21n, inheritable: 0, ambient: 0 }, // SYS_ADMIN, not MKNOD
      { op: "root", path: root },
      node(source),
    ];
    await expect(runWithMounts({ steps: steps("/dev/zero"), run: "true" })).rejects.toMatchObject({ errno: "ENODEV" });
    const { output } = await runWithMounts({ steps: steps("/dev/null"), run: `stat -c %t:%T ${root}/null` });
    expect(output).toBe("1:3\n");
  },
);

kernelTest(
  "root-readonly keeps a tree readable, and nothing in it writable",
  ["root", "executor"],
  async ({ directory }) => {
    const { root } = plant(directory, {});
    const { output } = await runWithMounts({
      steps: [
        { op: "root", path: root },
        { op: "root-readonly", path: "/etc" },
        { op: "root-readonly", path: "/missing" },
      ],
      run: `touch ${root}/etc/x; touch ${root}/y && echo beside`,
    });
    expect(output).toContain("Read-only file system");
    expect(output).toEndWith("beside\n");
  },
);

kernelTest("root-attributes seals the root mount", ["root", "executor"], async ({ directory }) => {
  const { root } = plant(directory, {});
  const { output } = await runWithMounts({
    steps: [
      { op: "bind", source: root, target: root, flags: 0, set: 0, clear: 0 },
      { op: "root", path: root },
      { op: "root-attributes", path: "/", set: 1, clear: 0 },
    ],
    run: `touch ${root}/x`,
  });
  expect(output).toContain("Read-only file system");
});

kernelTest("a step's reason comes back with its failure", ["root", "executor"], async ({ directory }) => {
  const steps = because([{ op: "propagation", path: join(directory, "none"), flags: MS_REC | MS_SLAVE }]);
  await expect(runSteps(steps)).rejects.toMatchObject({ step: { op: "propagation", why: "a test" }, errno: "ENOENT" });
});
