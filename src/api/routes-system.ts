/** What the engine says about itself. */

import { arch, release } from "node:os";
import { version } from "../base/version.ts";
import type { Engine } from "../engine/engine.ts";
import { json, type Reply } from "./reply.ts";
import { route } from "./route.ts";
import { API_MAX_MINOR, API_MIN_MINOR } from "./router.ts";

const machineNames: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };
const goArch = machineNames[arch()] ?? arch();

/** Docker's headers: Builder-Version 1 means that there is no BuildKit here. */
function ping(): Reply {
  return {
    kind: "text",
    status: 200,
    text: "OK",
    headers: {
      "Builder-Version": "1",
      "Docker-Experimental": "false",
      Swarm: "inactive",
      "Cache-Control": "no-cache, no-store, must-revalidate",
      Pragma: "no-cache",
    },
  };
}

function versionOf(): unknown {
  const details = { ApiVersion: `1.${API_MAX_MINOR}`, MinAPIVersion: `1.${API_MIN_MINOR}`, Os: "linux", Arch: goArch };
  return {
    Platform: { Name: "Orlop" },
    Components: [{ Name: "Engine", Version: version, Details: { ...details, KernelVersion: release() } }],
    Version: version,
    ...details,
    GitCommit: "",
    GoVersion: "",
    KernelVersion: release(),
  };
}

function infoOf(engine: Engine): unknown {
  const all = engine.containers.all();
  const { machine, places } = engine;
  const count = (status: string) => all.filter((container) => container.status === status).length;
  const [running, paused] = [count("running"), count("paused")];
  return {
    ID: "",
    Name: machine.hostname,
    ServerVersion: version,
    Containers: all.length,
    ContainersRunning: running,
    ContainersPaused: paused,
    ContainersStopped: all.length - running - paused,
    Images: 1,
    Driver: "overlay",
    DriverStatus: [],
    DockerRootDir: places.stateDir,
    LoggingDriver: "json-file",
    CgroupDriver: "cgroupfs",
    CgroupVersion: String(machine.cgroupVersion),
    Plugins: { Volume: [], Network: ["host", "none"], Authorization: null, Log: ["json-file", "local", "none"] },
    MemoryLimit: true,
    SwapLimit: true,
    CpuCfsPeriod: true,
    CpuCfsQuota: true,
    CPUShares: true,
    CPUSet: true,
    PidsLimit: true,
    OomKillDisable: machine.cgroupVersion === 1,
    IPv4Forwarding: false,
    Debug: false,
    NCPU: machine.cpus,
    MemTotal: machine.memoryBytes,
    OSType: "linux",
    OperatingSystem: "Linux",
    Architecture: machine.host.architecture,
    KernelVersion: machine.kernelRelease,
    DefaultRuntime: "orlop",
    Runtimes: { orlop: { path: "" } },
    SecurityOptions: ["name=seccomp,profile=builtin", "name=cgroupns"],
    Swarm: { LocalNodeState: "inactive" },
    RegistryConfig: { IndexConfigs: {}, InsecureRegistryCIDRs: [], Mirrors: [] },
    IndexServerAddress: "https://index.docker.io/v1/",
    SystemTime: new Date().toISOString(),
    Warnings: [],
  };
}

export const systemRoutes = [
  route({ method: "GET", path: "/_ping", operation: "SystemPing", handle: ping }),
  route({ method: "HEAD", path: "/_ping", operation: "SystemPingHead", handle: ping }),
  route({ method: "GET", path: "/version", operation: "SystemVersion", handle: () => json(versionOf()) }),
  route({ method: "GET", path: "/info", operation: "SystemInfo", handle: ({ engine }) => json(infoOf(engine)) }),
];
