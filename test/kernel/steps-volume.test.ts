/** What volumes need of the kernel: unmounting, binds of a path below, mounts that stay peers of the host's. */

import { expect } from "bun:test";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CLONE_NEWNS, MS_REC, MS_SHARED, MS_SLAVE } from "../../src/kernel/linux.ts";
import { type Bare, type Environment, runChild, runSteps, runWithMounts } from "./child.ts";
import { kernelTest, type Need } from "./harness.ts";

const needs: readonly Need[] = ["root", "executor"];

function tmpfs(target: string): Bare {
  return { op: "mount", fstype: "tmpfs", source: "t", target, attributes: 0, options: [] };
}

kernelTest(
  "detach takes the topmost mount away, busy or not; no mount and no path are fine",
  needs,
  async (scratch) => {
    const { directory } = scratch;
    const mounts = await runWithMounts({
      steps: [
        tmpfs(directory),
        tmpfs(directory),
        { op: "cwd", path: directory, make: 0 },
        { op: "detach", path: directory },
        { op: "detach", path: "/no/such/path" },
        { op: "detach", path: "/etc/passwd" },
      ],
      run: `grep -c ' ${directory} ' /proc/self/mountinfo`,
    });
    expect(mounts.output).toEndWith("\n1\n"); // behind the shell, whose directory is gone
    await expect(runSteps([{ op: "detach", path: "/etc/passwd/below" }])).rejects.toMatchObject({ errno: "ENOTDIR" });
  },
);

const ways: [string, Environment][] = [
  ["openat2", {}],
  ["a walk without openat2", { ORLOP_NO_OPENAT2: "1" }],
];

/** A root to mount in, and a volume with what is given; "SECRET" is a directory outside both. */
function lay(directory: string, links: Readonly<Record<string, string>> = {}) {
  const [root, volume, secret] = ["root", "volume", "secret"].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ];
  for (const path of [root, join(volume, "dir"), secret]) mkdirSync(path, { recursive: true });
  writeFileSync(join(volume, "dir/file"), "inside");
  writeFileSync(join(secret, "file"), "secret");
  for (const [name, target] of Object.entries(links)) symlinkSync(target.replace("SECRET", secret), join(volume, name));
  return { root, volume, secret };
}

function bindBelow(source: string, below: string, target: string): Bare {
  return { op: "root-bind-below", source, below, target, flags: 5, set: 0, clear: 0, propagation: 0 };
}

for (const [way, env] of ways) {
  kernelTest(`root-bind-below, by ${way}: links are the volume's own, and none leads out`, needs, async (scratch) => {
    const { root, volume } = lay(scratch.directory, { inner: "/dir", away: "SECRET", up: "../secret", loop: "loop" });
    const bound = (below: string) =>
      runWithMounts({
        steps: [{ op: "root", path: root }, bindBelow(volume, below, "/x")],
        run: `cat ${root}/x/file`,
        env,
      });
    expect((await bound("dir")).output).toBe("inside");
    expect((await bound("inner")).output).toBe("inside");
    await expect(bound("away")).rejects.toMatchObject({ errno: "ENOENT", detail: "away" });
    await expect(bound("up")).rejects.toMatchObject({ errno: "ENOENT" });
    await expect(bound("../secret")).rejects.toMatchObject({ errno: "ENOENT" });
    await expect(bound("loop")).rejects.toMatchObject({ errno: "ELOOP" });
  });
}

kernelTest(
  "root-bind-below: what is swapped for a link once it is open is not followed",
  [...needs, "busybox"],
  async ({ directory }) => {
    const { root, volume, secret } = lay(directory);
    // The child stops at the point; another process swaps the directory, and lets it go on.
    const swapper = Bun.spawn(
      [
        "/bin/sh",
        "-c",
        `for i in $(seq 2000); do
           for status in /proc/[0-9]*/status; do
             if grep -qs '^State:.T' $status && grep -qsa orlop-executor \${status%status}cmdline; then
               mv ${volume}/dir ${volume}/moved; ln -s ${secret} ${volume}/dir
               kill -CONT $(basename \${status%/status}); exit 0
             fi
           done
         done; exit 1`,
      ],
      { stdout: "ignore", stderr: "ignore" },
    );
    const { output } = await runWithMounts({
      steps: [{ op: "root", path: root }, bindBelow(volume, "dir", "/x")],
      run: `cat ${root}/x/file`,
      env: { ORLOP_POINT: "root-bind-below.opened:stop" },
    });
    expect([await swapper.exited, output]).toEqual([0, "inside"]);
  },
);

kernelTest("hold: a mount that was shared stays the host's peer, both ways", needs, async ({ directory }) => {
  const [source, root] = [join(directory, "source"), join(directory, "root")];
  for (const path of [join(source, "in"), join(source, "out"), root]) mkdirSync(path, { recursive: true });
  const bind = (flags: number): Bare[] => [
    { op: "propagation", path: "/", flags: MS_REC | MS_SLAVE },
    { op: "root", path: root },
    { op: "root-bind", source, target: "/x", flags, set: 0, clear: 0, propagation: 0 },
  ];
  // A mount namespace whose source is shared; the "container" is a namespace below, whose parent looks afterwards.
  const seen = async (held: boolean) => {
    const inner = held ? [{ op: "hold", source, flags: 1 } as const, ...bind(1 | 8)] : bind(1);
    const { output } = await runChild({
      flags: CLONE_NEWNS,
      steps: [
        { op: "propagation", path: "/", flags: MS_REC | MS_SLAVE },
        tmpfs(root),
        { op: "bind", source, target: source, flags: 0, set: 0, clear: 0 },
        { op: "propagation", path: source, flags: MS_SHARED },
        // From here on a copy of this namespace is the host.
        { op: "unshare", flags: CLONE_NEWNS },
        ...inner,
      ],
      run: `mount -t tmpfs in ${root}/x/in; grep -c '${source}/in ' /proc/self/mountinfo`,
    });
    return output;
  };
  expect(await seen(true)).toBe("1\n");
  expect(await seen(false)).toBe("0\n");
});

kernelTest("hold, and a bind that finds nothing held, say so", needs, async ({ directory }) => {
  const held = runWithMounts({ steps: [{ op: "hold", source: "/no/such/path", flags: 0 }], run: "true" });
  await expect(held).rejects.toMatchObject({ errno: "ENOENT", detail: "/no/such/path" });
  const none = runWithMounts({
    steps: [
      { op: "root", path: directory },
      { op: "root-bind", source: "/etc", target: "/x", flags: 9, set: 0, clear: 0, propagation: 0 },
    ],
    run: "true",
  });
  await expect(none).rejects.toMatchObject({ errno: "EBADF" });
});

kernelTest("a mount is never led into /proc by a link of the image", needs, async ({ directory }) => {
  const root = join(directory, "root");
  mkdirSync(root);
  symlinkSync("/proc/sys", join(root, "data"));
  const at = (target: string) =>
    runWithMounts({
      steps: [
        { op: "root", path: root },
        { op: "root-mount", fstype: "proc", source: "proc", target: "/proc", attributes: 0, options: [] },
        { op: "root-bind", source: "/etc", target, flags: 0, set: 0, clear: 0, propagation: 0 },
      ],
      run: "true",
    });
  await expect(at("/data")).rejects.toMatchObject({ errno: "EPERM", detail: "/data leads into /proc" });
  expect((await at("/proc/sys")).status).toBe(0); // which the engine refuses by its name
});
