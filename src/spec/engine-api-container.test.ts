/** Create bodies: what clients send when nobody asked for anything is accepted, what is not carried out is refused by name. */

import { describe, expect, test } from "bun:test";
import { parseContainerCreate } from "./engine-api-container.ts";

/** As docker 28.2 sends it for `docker run -d --name x host sh`. */
const dockerBody = {
  Hostname: "",
  Domainname: "",
  User: "",
  AttachStdin: false,
  AttachStdout: false,
  AttachStderr: false,
  Tty: false,
  OpenStdin: false,
  StdinOnce: false,
  Env: null,
  Cmd: ["sh"],
  Image: "host",
  Volumes: {},
  WorkingDir: "",
  Entrypoint: null,
  OnBuild: null,
  Labels: {},
  HostConfig: {
    Binds: null,
    ContainerIDFile: "",
    LogConfig: { Type: "", Config: {} },
    NetworkMode: "default",
    PortBindings: {},
    RestartPolicy: { Name: "no", MaximumRetryCount: 0 },
    AutoRemove: false,
    VolumeDriver: "",
    VolumesFrom: null,
    ConsoleSize: [0, 0],
    CapAdd: null,
    CapDrop: null,
    CgroupnsMode: "",
    Dns: [],
    DnsOptions: [],
    DnsSearch: [],
    ExtraHosts: null,
    GroupAdd: null,
    IpcMode: "",
    Cgroup: "",
    Links: null,
    OomScoreAdj: 0,
    PidMode: "",
    Privileged: false,
    PublishAllPorts: false,
    ReadonlyRootfs: false,
    SecurityOpt: null,
    UTSMode: "",
    UsernsMode: "",
    ShmSize: 0,
    Isolation: "",
    CpuShares: 0,
    Memory: 0,
    NanoCpus: 0,
    CgroupParent: "",
    BlkioWeight: 0,
    BlkioWeightDevice: [],
    BlkioDeviceReadBps: [],
    BlkioDeviceWriteBps: [],
    BlkioDeviceReadIOps: [],
    BlkioDeviceWriteIOps: [],
    CpuPeriod: 0,
    CpuQuota: 0,
    CpuRealtimePeriod: 0,
    CpuRealtimeRuntime: 0,
    CpusetCpus: "",
    CpusetMems: "",
    Devices: [],
    DeviceCgroupRules: null,
    DeviceRequests: null,
    MemoryReservation: 0,
    MemorySwap: 0,
    MemorySwappiness: -1,
    OomKillDisable: false,
    PidsLimit: 0,
    Ulimits: [],
    CpuCount: 0,
    CpuPercent: 0,
    IOMaximumIOps: 0,
    IOMaximumBandwidth: 0,
    MaskedPaths: null,
    ReadonlyPaths: null,
  },
  NetworkingConfig: {
    EndpointsConfig: {
      default: {
        IPAMConfig: null,
        Links: null,
        Aliases: null,
        MacAddress: "",
        DriverOpts: null,
        GwPriority: 0,
        NetworkID: "",
        EndpointID: "",
        Gateway: "",
        IPAddress: "",
        IPPrefixLen: 0,
        IPv6Gateway: "",
        GlobalIPv6Address: "",
        GlobalIPv6PrefixLen: 0,
        DNSNames: null,
      },
    },
  },
};

test("docker's own body says nothing that is refused", () => {
  const body = parseContainerCreate(dockerBody);
  expect(body.Cmd).toEqual(["sh"]);
  expect(body.HostConfig.NetworkMode).toBe("default");
  expect(body.HostConfig.RestartPolicy).toEqual({ Name: "no", MaximumRetryCount: 0 });
});

test("an empty body asks for nothing", () => {
  const body = parseContainerCreate({});
  expect(body).toMatchObject({ Image: "", Cmd: null, Env: [], Tty: false, StopTimeout: undefined });
  expect(body.HostConfig).toMatchObject({ AutoRemove: false, Memory: 0, MaskedPaths: null });
});

test("a command may be one word instead of a list", () => {
  expect(parseContainerCreate({ Cmd: "true" }).Cmd).toEqual(["true"]);
});

describe("refused by name", () => {
  test.each([
    [{ Volumes: { "/data": { size: 1 } } }, "Volumes./data.size"],
    [{ Novelty: 1 }, "Novelty"],
    [{ HostConfig: { CpuRealtimeRuntime: 100 } }, "HostConfig.CpuRealtimeRuntime"],
    [{ HostConfig: { Mounts: [{ ImageOptions: { Shape: "a" } }] } }, "HostConfig.Mounts[0].ImageOptions.Shape"],
    [{ HostConfig: { Novelty: ["x"] } }, "HostConfig.Novelty"],
  ])("%j", (body, field) => {
    expect(() => parseContainerCreate(body)).toThrow(`${field} is not supported`);
  });
});

describe("wrong values", () => {
  test.each([
    [{ Tty: "yes" }, 'invalid Tty "yes": expected true or false'],
    [{ Env: ["=x"] }, 'invalid Env[0] "=x": expected NAME=VALUE'],
    [{ Hostname: "a b" }, 'invalid Hostname "a b"'],
    [{ WorkingDir: "tmp" }, "the working directory 'tmp' is invalid, it needs to be an absolute path"],
    [{ HostConfig: { Memory: 1000 } }, "Minimum memory limit allowed is 6MB: HostConfig.Memory is 1000 bytes"],
    [{ HostConfig: { OomScoreAdj: 2000 } }, 'invalid HostConfig.OomScoreAdj "2000"'],
    [{ ExposedPorts: { "80/ip": {} } }, 'invalid ExposedPorts "80/ip": expected PORT/PROTOCOL'],
    [{ HostConfig: { PortBindings: { "0/tcp": [] } } }, 'invalid HostConfig.PortBindings "0/tcp"'],
    [
      { HostConfig: { PortBindings: { "80/tcp": [{ HostPort: "65536" }] } } },
      'invalid HostConfig.PortBindings.80/tcp[0].HostPort "65536"',
    ],
    [
      { HostConfig: { PortBindings: { "80/tcp": [{ HostIp: "localhost" }] } } },
      'invalid HostConfig.PortBindings.80/tcp[0].HostIp "localhost": expected an IP address',
    ],
    [{ HostConfig: { PidMode: "container:" } }, 'invalid HostConfig.PidMode "container:"'],
    [{ HostConfig: { LogConfig: { Type: "syslog" } } }, 'invalid HostConfig.LogConfig.Type "syslog"'],
    [
      { NetworkingConfig: { EndpointsConfig: { lan: { IPAMConfig: { IPv4Address: "fd00::1" } } } } },
      'invalid NetworkingConfig.EndpointsConfig.lan.IPAMConfig.IPv4Address "fd00::1": expected an IPv4 address',
    ],
    [[], 'invalid request body "[]": expected an object'],
  ])("%j", (body, message) => {
    expect(() => parseContainerCreate(body)).toThrow(message);
  });
});

test("a body cannot carry endless lists", () => {
  expect(() => parseContainerCreate({ Env: Array.from({ length: 10_001 }, () => "A=b") })).toThrow(
    "a list of at most 10000 entries",
  );
});
