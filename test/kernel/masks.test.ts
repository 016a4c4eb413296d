import { expect } from "bun:test";
import { existsSync, statSync } from "node:fs";
import { defaultSpec } from "../../src/runtime/default-spec.ts";
import { runContainer } from "./container.ts";
import { kernelTest } from "./harness.ts";

const needs = ["root", "executor", "busybox", "overlay"] as const;

const { linux } = defaultSpec({
  process: { args: ["true"], cwd: "/", user: { uid: 0, gid: 0 } },
  hostname: "box",
  privileged: false,
  readonlyRoot: false,
  shmSizeBytes: 0,
  namespaces: {},
  machine: { timeNamespaces: true, thermalThrottle: [], devices: [] },
});
const here = (linux?.maskedPaths ?? []).filter((path) => existsSync(path));
const files = here.filter((path) => statSync(path).isFile());
const directories = here.filter((path) => statSync(path).isDirectory());

kernelTest("a masked file is an empty one: a bind of /dev/null", [...needs], async (scratch) => {
  expect(files.length).toBeGreaterThan(0);
  const { stdout, stderr } = await runContainer(
    scratch,
    `stat -c '%n %t:%T' ${files.join(" ")}; cat ${files.join(" ")}`,
  );
  expect(stdout).toBe(files.map((path) => `${path} 1:3\n`).join(""));
  expect(stderr).toBe("");
});

kernelTest("a masked directory is empty, and nothing can be put into it", [...needs], async (scratch) => {
  expect(directories.length).toBeGreaterThan(0);
  const script = directories.map((path) => `ls -A ${path}; mkdir ${path}/x 2>&1`).join("; ");
  const { stdout } = await runContainer(scratch, script);
  expect(stdout).toBe(
    directories.map((path) => `mkdir: can't create directory '${path}/x': Read-only file system\n`).join(""),
  );
});

kernelTest("kernel settings can be read, not changed", [...needs], async (scratch) => {
  const switches = ["/proc/sys/kernel/panic", "/proc/irq/default_smp_affinity", "/proc/sysrq-trigger"].filter(
    existsSync,
  );
  const script = `cat /proc/sys/kernel/ostype; ${switches.map((path) => `echo 1 > ${path}`).join("; ")}; mkdir /sys/fs/cgroup/x`;
  const { stdout, stderr } = await runContainer(scratch, script);
  expect(stdout).toBe("Linux\n");
  const lines = stderr.trim().split("\n");
  expect(lines).toHaveLength(switches.length + 1);
  expect(lines.filter((line) => !line.includes("Read-only file system"))).toEqual([]);
});

kernelTest("a privileged container has no masks, and the host's devices", [...needs], async (scratch) => {
  const script = `stat -c %t:%T ${files.join(" ")}; test -w /proc/sys/kernel/panic && echo writable; ls /dev/kmsg`;
  const { stdout } = await runContainer(scratch, script, { privileged: true });
  expect(stdout).toBe(`${files.map(() => "0:0\n").join("")}writable\n/dev/kmsg\n`);
});

kernelTest("the paths that masks rely on cannot be mounted over", [...needs], async (scratch) => {
  const over = (destination: string) =>
    runContainer(scratch, "true", {
      change: (spec) => ({ ...spec, mounts: [...(spec.mounts ?? []), { destination, type: "tmpfs" }] }),
    });
  for (const path of ["/proc/sys", "/proc/keys", "/proc/1", "/proc/../proc/sys", "//proc//sys", "/./proc/sys"])
    await expect(over(path)).rejects.toThrow("mount destination");
});
