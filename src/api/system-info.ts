/** What the engine says about itself and its machine: `docker info`. */

import { readdirSync, statfsSync } from "node:fs";
import { version } from "../base/version.ts";
import { supportedLimits } from "../engine/containers/supported-limits.ts";
import type { Engine } from "../engine/engine.ts";
import { readText } from "../engine/machine.ts";
import { has } from "./versions.ts";

/** File systems by magic number (statfs(2)), with Docker's names. */
const fileSystems: Readonly<Record<number, string>> = {
  61267: "extfs",
  16914836: "tmpfs",
  1481003842: "xfs",
  2435016766: "btrfs",
  4076150800: "f2fs",
  801189825: "zfs",
  2035054128: "overlayfs",
};

export function systemInfo(engine: Engine, apiMinor: number): unknown {
  const { machine, places } = engine;
  const noCommit = { ID: "", ...(has(apiMinor, "expectedCommits") ? {} : { Expected: "" }) };
  const { environment } = engine.images.registrySettings;
  const all = engine.containers.all();
  const paused = all.filter(({ status }) => status === "paused").length;
  const running = all.filter(({ isRunning }) => isRunning).length - paused;
  const limits = supportedLimits(machine);
  return {
    ID: engine.id,
    Name: machine.hostname,
    ServerVersion: version,
    Containers: all.length,
    ContainersRunning: running,
    ContainersPaused: paused,
    ContainersStopped: all.length - running - paused,
    Images: engine.images.table.rows().length + 1, // the built-in image `host`
    Driver: "overlay",
    DriverStatus: [["Backing Filesystem", fileSystemOf(places.stateDir)]],
    DockerRootDir: places.stateDir,
    LoggingDriver: "json-file",
    CgroupDriver: "cgroupfs",
    CgroupVersion: String(machine.cgroupVersion),
    Plugins: {
      Volume: ["local"],
      Network: ["bridge", "host", "ipvlan", "macvlan", "null"],
      Authorization: null,
      Log: ["json-file", "local", "none"],
    },
    ...limits.facts,
    Warnings: limits.warnings.length === 0 ? null : limits.warnings,
    ...networkFacts(apiMinor),
    Debug: false,
    NFd: readdirSync("/proc/self/fd").length,
    NGoroutines: 0,
    NEventsListener: engine.events.listeners,
    NCPU: machine.cpus,
    MemTotal: machine.memoryBytes,
    OSType: "linux",
    ...systemNames(readText("/etc/os-release") ?? ""),
    Architecture: machine.host.architecture,
    KernelVersion: machine.kernelRelease,
    DefaultRuntime: "orlop",
    Runtimes: { orlop: { path: "" } },
    SecurityOptions: has(apiMinor, "infoOptions")
      ? ["name=seccomp,profile=builtin", "name=cgroupns"]
      : ["seccomp", "cgroupns"],
    Swarm: {
      NodeID: "",
      NodeAddr: "",
      LocalNodeState: "inactive",
      ControlAvailable: false,
      Error: "",
      RemoteManagers: null,
    },
    // Containers always survive the engine.
    LiveRestoreEnabled: true,
    RegistryConfig: {
      IndexConfigs: { "docker.io": { Name: "docker.io", Mirrors: [], Secure: true, Official: true } },
      InsecureRegistryCIDRs: [],
      Mirrors: [],
    },
    IndexServerAddress: "https://index.docker.io/v1/",
    HttpProxy: environment["HTTP_PROXY"] ?? environment["http_proxy"] ?? "",
    HttpsProxy: environment["HTTPS_PROXY"] ?? environment["https_proxy"] ?? "",
    NoProxy: environment["NO_PROXY"] ?? environment["no_proxy"] ?? "",
    Labels: [],
    GenericResources: null,
    ExperimentalBuild: false,
    Isolation: "",
    InitBinary: "",
    // Orlop has no separate components with other versions.
    ContainerdCommit: noCommit,
    RuncCommit: noCommit,
    InitCommit: noCommit,
    SystemTime: new Date().toISOString(),
  };
}

function fileSystemOf(directory: string): string {
  const { type } = statfsSync(directory);
  return fileSystems[type] ?? `0x${type.toString(16)}`;
}

function networkFacts(apiMinor: number): Readonly<Record<string, boolean>> {
  const isOn = (path: string): boolean => readText(path)?.trim() === "1";
  return {
    IPv4Forwarding: isOn("/proc/sys/net/ipv4/ip_forward"),
    ...(has(apiMinor, "bridgeFilters")
      ? {}
      : {
          BridgeNfIptables: isOn("/proc/sys/net/bridge/bridge-nf-call-iptables"),
          BridgeNfIp6tables: isOn("/proc/sys/net/bridge/bridge-nf-call-ip6tables"),
        }),
  };
}

/** @see os-release(5) */
function systemNames(release: string): { readonly OperatingSystem: string; readonly OSVersion: string } {
  const value = (key: string): string => new RegExp(`^${key}="?([^"\\n]*)"?$`, "m").exec(release)?.[1] ?? "";
  return { OperatingSystem: value("PRETTY_NAME") || "Linux", OSVersion: value("VERSION_ID") };
}
