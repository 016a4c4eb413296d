/** What HostConfig asks for, seen to act in the container; what the kernel refuses is the request's fault, and says so. */

import { afterAll, beforeAll, expect } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { HostConfig } from "../../src/client/container-types.ts";
import { makeBusyboxRoot } from "../busybox-root.ts";
import { kernelTest, type Need } from "../kernel/harness.ts";
import { nothingReady, Product } from "../product.ts";
import { messageOf, request } from "./engine-fixture.ts";

const needs: readonly Need[] = ["root", "product", "busybox", "overlay"];

const directory = mkdtempSync(join(tmpdir(), "orlop-host-config-"));
const product = new Product(directory, { env: nothingReady });
const rootfs = makeBusyboxRoot(directory);

beforeAll(async () => void (await product.run(["info"])));
afterAll(async () => {
  await product.stop();
  rmSync(directory, { recursive: true, force: true });
});

async function outputOf(script: string, host: HostConfig): Promise<string> {
  const { containers } = product.engine;
  const config = { Cmd: ["/bin/sh", "-c", script], HostConfig: { Rootfs: rootfs, NetworkMode: "none", ...host } };
  const { Id } = await containers.create(config);
  try {
    const wait = await containers.wait(Id, "next-exit");
    await containers.start(Id);
    await wait.exit();
    return (await product.ok("logs", Id)).trimEnd();
  } finally {
    await containers.remove(Id, { force: true });
    product.disconnect();
  }
}

const device = (PathOnHost: string, PathInContainer = PathOnHost, CgroupPermissions = "rwm") => ({
  PathOnHost,
  PathInContainer,
  CgroupPermissions,
});

// Each as dockerd 20.10 shows it, by hand (docker run with the flag of this name).
const acting: readonly (readonly [string, string, HostConfig, string])[] = [
  ["a device", "ls -l /dev/fuse | cut -c1; head -c0 /dev/fuse && echo ok", { Devices: [device("/dev/fuse")] }, "c\nok"],
  ["a device, read only, elsewhere", "exec 3<>/dev/x/y", { Devices: [device("/dev/fuse", "/dev/x/y", "r")] }, ""],
  ["a directory of devices", "ls /dev/n2", { Devices: [device("/dev/net", "/dev/n2")] }, "tun"],
  [
    "a device of a privileged container",
    "ls -l /dev/fuse | cut -c1",
    { Privileged: true, Devices: [device("/dev/fuse")] },
    "c",
  ],
  [
    "no shared memory",
    "ls -d /dev/shm 2>/dev/null; grep -c shm /proc/self/mountinfo; ls -d /dev/mqueue",
    { IpcMode: "none" },
    "0\n/dev/mqueue",
  ],
  ["a group by number and by name", "id -G", { GroupAdd: ["29", "worker"] }, "0 29 1000"],
  [
    "sysctls of its namespaces",
    "cat /proc/sys/kernel/shmmax /proc/sys/net/ipv4/ip_forward",
    { Sysctls: { "kernel.shmmax": "12345", "net.ipv4.ip_forward": "1" } },
    "12345\n1",
  ],
  [
    "limits",
    "ulimit -n; ulimit -Hn; ulimit -c",
    {
      Ulimits: [
        { Name: "nofile", Soft: 100, Hard: 200 },
        { Name: "core", Soft: 0, Hard: 0 },
      ],
    },
    "100\n200\n0",
  ],
  [
    "no new privileges",
    "grep NoNewPrivs /proc/self/status",
    { SecurityOpt: ["no-new-privileges:true"] },
    "NoNewPrivs:\t1",
  ],
  ["no seccomp", "grep ^Seccomp: /proc/self/status", { SecurityOpt: ["seccomp=unconfined"] }, "Seccomp:\t0"],
  ["the size of shared memory", "df /dev/shm | tail -1 | tr -s ' ' | cut -d' ' -f2", { ShmSize: 1 << 20 }, "1024"],
];

for (const [what, script, host, output] of acting)
  kernelTest(`${what} acts in the container`, needs, async () => {
    expect(await outputOf(script, host)).toBe(output);
  });

for (const [what, host, message] of [
  ["a sysctl that is none", { Sysctls: { "net.nope": "1" } }, "sysctl net.nope=1: ENOENT: net/nope"],
  ["a value that is none", { Sysctls: { "kernel.msgmax": "x" } }, "sysctl kernel.msgmax=x: EINVAL: kernel/msgmax"],
  ["a device in place of a directory", { Devices: [device("/dev/fuse", "/bin")] }, "device /bin: EEXIST"],
] as const)
  kernelTest(`${what} is refused at the start, and nothing is left`, needs, async () => {
    const body = { Cmd: ["true"], HostConfig: { Rootfs: rootfs, NetworkMode: "none", ...host } };
    const { Id } = JSON.parse((await request(product, "POST", "/containers/create", body)).body) as { Id: string };
    const start = await request(product, "POST", `/containers/${Id}/start`);
    expect([start.status, messageOf(start)]).toEqual([
      400,
      `failed to create task for container: unable to start container process: error during container init: ${message}`,
    ]);
    await product.engine.containers.remove(Id);
    product.disconnect();
  });
