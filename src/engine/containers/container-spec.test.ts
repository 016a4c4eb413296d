/** From the request to the specification. */

import { describe, expect, test } from "bun:test";
import { parseContainerCreate } from "../../spec/engine-api-container.ts";
import { testMachine, testPlaces } from "../fixture-machine.ts";
import { type MountPoint, mountOf } from "../mounts/mount-point.ts";
import { mountsOf } from "../mounts/spec-mounts.ts";
import { type AskedDevice, containerSpec } from "./container-spec.ts";

const id = "0123456789abcdef".repeat(4);

const noMounts = (): never => {
  throw new Error("no other container");
};

function specOf(body: Record<string, unknown>, devices: readonly AskedDevice[] = [], uid = 0) {
  const user = { uid, gid: uid, additionalGids: [uid], home: uid === 0 ? "/root" : "/" };
  const request = parseContainerCreate({
    Image: "host",
    Cmd: ["true"],
    ...body,
    HostConfig: { NetworkMode: "none", ...(body["HostConfig"] as object) },
  });
  const mounts = mountsOf(request.HostConfig, [], noMounts).map((point) => mountOf(point as MountPoint, testPlaces));
  const findDevice = () => ({ major: 254, minor: 1 });
  return containerSpec({
    id,
    body: request,
    user,
    machine: testMachine,
    mounts,
    devices,
    findDevice,
    sandboxPath: "/run/netns",
  });
}
const host = (HostConfig: Record<string, unknown>) => specOf({ HostConfig });
const types = (spec: ReturnType<typeof specOf>) => spec.linux?.namespaces?.map(({ type }) => type);

test("nothing asked for gives Docker's default container", () => {
  const spec = specOf({});
  expect(spec.process).toMatchObject({
    args: ["true"],
    cwd: "/",
    terminal: false,
    noNewPrivileges: false,
    oomScoreAdj: 0,
  });
  expect(spec.process.env).toEqual([
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOSTNAME=0123456789ab",
    "HOME=/root",
  ]);
  expect(spec.hostname).toBe("0123456789ab");
  expect(types(spec)).toEqual(["mount", "uts", "ipc", "pid", "network", "cgroup", "time"]);
  expect(spec.process.capabilities?.effective).toHaveLength(14);
  expect(spec.linux?.seccomp?.defaultAction).toBe("SCMP_ACT_ERRNO");
  expect(spec.linux?.maskedPaths).toContain("/proc/kcore");
  expect(spec.linux?.cgroupsPath).toBe(`/orlop/${id}`);
});

test("the environment keeps Docker's order; a name alone takes a variable away, and never reads the engine's", () => {
  process.env["ORLOP_TEST_SECRET"] = "leak";
  const spec = specOf({ Tty: true, Env: ["A=1", "HOSTNAME=x", "B=a=b", "A", "TERM=vt100", "ORLOP_TEST_SECRET"] });
  expect(spec.process.env?.slice(1)).toEqual(["HOSTNAME=x", "TERM=vt100", "B=a=b", "HOME=/root"]);
});

test("another user than root has its capabilities bounded, and none in effect", () => {
  const { capabilities } = specOf({}, [], 1000).process;
  expect(capabilities?.bounding).toHaveLength(14);
  expect([capabilities?.effective, capabilities?.permitted, capabilities?.ambient]).toEqual([[], [], []]);
});

test("entrypoint and command are one line of words", () => {
  expect(specOf({ Entrypoint: ["sh", "-c"], Cmd: ["id"] }).process.args).toEqual(["sh", "-c", "id"]);
  expect(() => specOf({ Cmd: [] })).toThrow("no command specified");
  expect(specOf({ Entrypoint: [""], Cmd: ["id"] }).process.args).toEqual(["id"]);
  expect(() => specOf({ Entrypoint: [""], Cmd: [] })).toThrow("no command specified");
  expect(specOf({ Cmd: [""] }).process.args).toEqual([""]);
});

describe("namespaces of the host", () => {
  test.each([
    ["NetworkMode", "network"],
    ["IpcMode", "ipc"],
    ["PidMode", "pid"],
    ["UTSMode", "uts"],
    ["CgroupnsMode", "cgroup"],
  ] as const)("%s", (field, type) => {
    expect(types(host({ [field]: "host" }))).not.toContain(type);
  });

  test("the host's network brings its name, and none of the container's settings", () => {
    const spec = host({ NetworkMode: "host" });
    expect(spec.hostname).toBe("machine");
    expect(spec.linux?.sysctl).toEqual({});
  });

  test("a host name cannot be given to the host itself", () => {
    expect(() => specOf({ Hostname: "web", HostConfig: { UTSMode: "host" } })).toThrow(
      "conflicting options: hostname and the UTS mode",
    );
  });

  test("the host's IPC namespace brings its shared memory", () => {
    const shm = host({ IpcMode: "host" }).mounts?.find((mount) => mount.destination === "/dev/shm");
    expect(shm).toMatchObject({ type: "bind", source: "/dev/shm" });
  });
});

test("privileged: every capability and device, nothing hidden, no filter", () => {
  const spec = host({ Privileged: true });
  expect(spec.process.capabilities?.effective).toHaveLength(41);
  expect(spec.linux?.seccomp).toBeUndefined();
  expect(spec.linux?.maskedPaths).toEqual([]);
  expect(spec.linux?.resources?.devices).toEqual([{ allow: true, access: "rwm" }]);
});

test("the client may say what is hidden, and that nothing is", () => {
  expect(host({ MaskedPaths: ["/proc/x"] }).linux?.maskedPaths).toEqual(["/proc/x"]);
  expect(host({ MaskedPaths: [], ReadonlyPaths: [] }).linux).toMatchObject({ maskedPaths: [], readonlyPaths: [] });
  expect(host({ SecurityOpt: ["systempaths=unconfined"] }).linux?.maskedPaths).toEqual([]);
});

test("a device brings its node and its right", () => {
  const device = { type: "c", path: "/dev/fuse", major: 10, minor: 229 } as const;
  const spec = specOf({}, [{ device, access: "rw" }]);
  expect(spec.linux?.devices).toContainEqual(device);
  expect(spec.linux?.resources?.devices?.at(-1)).toEqual({
    allow: true,
    type: "c",
    major: 10,
    minor: 229,
    access: "rw",
  });
});

test("limits, settings and the parent group go where the specification has them", () => {
  const spec = host({
    Ulimits: [{ Name: "nofile", Soft: 10, Hard: 20 }],
    Sysctls: { "net.core.somaxconn": "10" },
    CgroupParent: "/teams/a",
    ReadonlyRootfs: true,
    OomScoreAdj: 100,
  });
  expect(spec.process.rlimits).toEqual([{ type: "RLIMIT_NOFILE", soft: 10, hard: 20 }]);
  expect(spec.linux?.sysctl).toMatchObject({ "net.core.somaxconn": "10", "net.ipv4.ip_unprivileged_port_start": "0" });
  expect(spec.linux?.cgroupsPath).toBe(`/teams/a/${id}`);
  expect(spec.root?.readonly).toBe(true);
  expect(spec.process.oomScoreAdj).toBe(100);
});

test("block I/O limits and device rules", () => {
  const { resources } =
    host({
      BlkioWeight: 300,
      BlkioDeviceWriteBps: [{ Path: "/dev/vda1", Rate: 4096 }],
      DeviceCgroupRules: ["c 13:* rw", "b 8:1 m"],
    }).linux ?? {};
  expect(resources?.blockIO).toEqual({
    weight: 300,
    throttleWriteBpsDevice: [{ major: 254, minor: 1, rate: 4096 }],
  });
  expect(resources?.devices?.slice(-2)).toEqual([
    { allow: true, type: "c", major: 13, access: "rw" },
    { allow: true, type: "b", major: 8, minor: 1, access: "m" },
  ]);
});

test.each([
  [{ BlkioWeight: 9 }, "10 to 1000"],
  [{ DeviceCgroupRules: ["x 1:1 r"] }, 'e.g. "c 13:* rwm"'],
  [{ DeviceRequests: [{ Count: -1, Capabilities: [["gpu"]] }] }, "with capabilities: [[gpu]]"],
])("%j is refused", (fields, message) => {
  expect(() => host(fields)).toThrow(message);
});
