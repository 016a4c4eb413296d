/** Reads the facts about the machine that the default container depends on. */

import { existsSync, lstatSync, readdirSync, readFileSync } from "node:fs";
import type { Device } from "../spec/runtime-spec.ts";
import type { MachineFacts } from "./default-spec.ts";
import type { HostFacts } from "./plan-container.ts";

export function readMachineFacts(): MachineFacts {
  return {
    timeNamespaces: existsSync("/proc/self/ns/time_for_children"),
    thermalThrottle: thermalThrottle("/sys/devices/system/cpu"),
    devices: hostDevices("/dev"),
  };
}

export function readHostFacts(): HostFacts {
  return {
    oomScoreAdj: Number(readFileSync("/proc/self/oom_score_adj", "utf8")),
    capabilities: boundingSet(readFileSync("/proc/self/status", "utf8")),
    architecture: process.arch === "arm64" ? "aarch64" : "x86_64",
  };
}

function boundingSet(status: string): bigint {
  return BigInt(`0x${/^CapBnd:\s+([0-9a-f]+)$/m.exec(status)?.[1] ?? "0"}`);
}

function thermalThrottle(directory: string): string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .filter((name) => /^cpu\d+$/.test(name))
    .map((name) => `${directory}/${name}/thermal_throttle`)
    .filter((path) => existsSync(path));
}

/** Devices of which a container has its own. */
const ownDirectories = new Set(["pts", "shm", "mqueue", "fd", ".lxc", ".lxd-mounts", ".udev"]);

/** Its own terminal takes the place of the host's console, its own devpts that of the host's. */
const ownNodes = new Set(["/dev/console", "/dev/ptmx"]);

/** The device nodes below a directory; links and what cannot be read are left out. */
export function hostDevices(directory: string): Device[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry): Device[] => {
    const path = `${directory}/${entry.name}`;
    if (ownDirectories.has(entry.name) || ownNodes.has(path)) return [];
    if (entry.isDirectory()) return hostDevices(path);
    const device = deviceAt(path);
    return device === undefined ? [] : [device];
  });
}

/** The device node of this name; undefined when it is no device, or is gone. */
export function deviceAt(path: string): Device | undefined {
  const status = lstatSync(path, { throwIfNoEntry: false });
  if (status === undefined || !(status.isCharacterDevice() || status.isBlockDevice())) return undefined;
  const { rdev, mode, uid, gid } = status;
  const [major, minor] = deviceNumbers(rdev);
  return { type: status.isBlockDevice() ? "b" : "c", path, major, minor, fileMode: mode & 0o7777, uid, gid };
}

/** dev_t as glibc packs it: 12 bits of major above 8 of minor, the other bits of both above those. */
function deviceNumbers(rdev: number): [major: number, minor: number] {
  const wide = BigInt(rdev);
  const major = ((wide >> 8n) & 0xfffn) | ((wide >> 32n) & ~0xfffn);
  const minor = (wide & 0xffn) | ((wide >> 12n) & 0xffffff00n);
  return [Number(major), Number(minor)];
}
