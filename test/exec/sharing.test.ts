/** `container:X`: namespaces of other containers, and what comes with them. */

import { afterAll, expect } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeBusyboxRoot } from "../busybox-root.ts";
import { kernelTest, type Need } from "../kernel/harness.ts";
import { nothingReady, Product } from "../product.ts";
import { waitUntil } from "../wait-until.ts";

const needs: readonly Need[] = ["root", "product", "busybox", "overlay"];

const waitMs = 20_000;

const directory = mkdtempSync(join(tmpdir(), "orlop-sharing-"));
const rootfs = existsSync("/proc/self") ? makeBusyboxRoot(directory) : "";
const product = new Product(directory, { env: nothingReady });

afterAll(async () => {
  await product.stop();
  rmSync(directory, { recursive: true, force: true });
});

const stay = (name: string, ...flags: string[]) =>
  product.ok("run", "-d", "--name", name, "--rootfs", rootfs, ...flags, "/bin/sleep", "1000");
const inside = (flags: readonly string[], script: string) =>
  product.run(["run", "--rm", "--rootfs", rootfs, ...flags, "sh", "-c", script]);
const pidOf = async (name: string) => (await product.engine.containers.inspect(name)).State.Pid;
const shmMounts = () =>
  readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter((line) => line.includes("/shm "));

kernelTest("each of them is the other's, an exec in it included; the rest is its own", needs, async () => {
  await stay("donor", "--ipc", "shareable", "--network", "none", "--shm-size", "3m");
  const all = ["--ipc", "container:donor", "--pid", "container:donor", "--network", "container:donor"];
  await stay("joiner", ...all);
  const [donor, joiner] = [await pidOf("donor"), await pidOf("joiner")];
  const of = (pid: number, kind: string) => readlinkSync(`/proc/${pid}/ns/${kind}`);
  for (const kind of ["ipc", "pid", "net"]) expect([kind, of(joiner, kind)]).toEqual([kind, of(donor, kind)]);
  for (const kind of ["mnt", "uts", "cgroup"]) expect(of(joiner, kind)).not.toBe(of(donor, kind));
  const script = "for kind in ipc pid net mnt uts; do readlink /proc/self/ns/$kind; done";
  const seen = (await product.ok("exec", "joiner", "sh", "-c", script)).split("\n");
  expect(seen).toEqual(["ipc", "pid", "net", "mnt", "uts"].map((kind) => of(joiner, kind)));
  await product.ok("rm", "-f", "joiner", "donor");
});

kernelTest("shared memory goes both ways, is gone with its run, and leaves no mount", needs, async () => {
  const before = shmMounts();
  await stay("memory", "--ipc", "shareable", "--shm-size", "3m");
  await product.ok("exec", "memory", "sh", "-c", "echo from the donor > /dev/shm/a");
  const { stdout } = await inside(
    ["--ipc", "container:memory"],
    "cat /dev/shm/a; echo back > /dev/shm/b; df -k /dev/shm | tail -1",
  );
  expect(stdout).toMatch(/^from the donor\nshm +3072 /);
  expect(await product.ok("exec", "memory", "cat", "/dev/shm/b")).toBe("back");
  await product.ok("stop", "-t", "0", "memory");
  await product.ok("start", "memory");
  expect(await product.ok("exec", "memory", "ls", "/dev/shm")).toBe("");
  await product.ok("rm", "-f", "memory");
  const { exitCode } = await inside(["--ipc", "shareable"], "echo x > /dev/shm/x");
  expect(exitCode).toBe(0);
  // behind the answer
  await waitUntil(() => shmMounts().join() === before.join(), waitMs, "its memory is unmounted");
});

kernelTest("a network's names come with it", needs, async () => {
  await stay(
    "named",
    "--network",
    "none",
    "--hostname",
    "its-name",
    "--domainname",
    "example",
    "--add-host",
    "db:10.1.2.3",
  );
  const { stdout } = await inside(["--network", "container:named"], "hostname; grep db /etc/hosts; cat /etc/hostname");
  expect(stdout).toBe("its-name\n10.1.2.3\tdb\nits-name\n");
  await product.ok("rm", "-f", "named");
});

kernelTest("without memory to share there is none", needs, async () => {
  const { stdout } = await inside(["--ipc", "none"], "ls /dev/shm 2>&1");
  expect(stdout).toContain("No such file");
});

kernelTest("whom it cannot join is said when it starts, and a name means what it meant", needs, async () => {
  await stay("private");
  expect((await inside(["--ipc", "container:private"], "true")).stderr).toContain(
    "can't join IPC of container private: non-shareable IPC",
  );
  expect((await inside(["--pid", "container:nobody"], "true")).stderr).toContain("No such container: nobody");
  await product.ok("create", "--name", "later", "--pid", "container:private", "--rootfs", rootfs, "true");
  await product.ok("rename", "private", "renamed");
  await product.ok("start", "later");
  await product.ok("stop", "-t", "0", "renamed");
  for (const [kind, what] of [
    ["network", "network"],
    ["ipc", "IPC"],
    ["pid", "PID"],
  ] as const)
    expect((await inside([`--${kind}`, "container:renamed"], "true")).stderr).toContain(
      `cannot join ${what} of a non running container`,
    );
  expect((await product.run(["create", "--rootfs", rootfs, "--pid", "container:", "true"])).stderr).toContain(
    "invalid --pid (HostConfig.PidMode)",
  );
  await product.ok("rm", "renamed", "later");
});

kernelTest("a joiner ends with all that it started, and the donor goes on", needs, async () => {
  await stay("base");
  await stay("guest", "--pid", "container:base");
  await product.ok("exec", "-d", "guest", "sleep", "888");
  await product.ok("rm", "-f", "guest");
  const seen = async () => (await product.run(["top", "base", "-o", "pid,args"])).stdout;
  await waitUntil(async () => !(await seen()).includes("888"), waitMs, "what it started has ended");
  expect(await product.ok("exec", "base", "sh", "-c", "ps -o args | grep -c '^sleep 888'; true")).toBe("0");
  await product.ok("rm", "-f", "base");
});
