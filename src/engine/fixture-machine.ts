/** A machine for tests: four CPUs, cgroup v1. */

import type { Machine } from "./machine.ts";
import type { MountPlaces } from "./mounts/mount-point.ts";

export const testMachine: Machine = {
  facts: { timeNamespaces: true, thermalThrottle: [], devices: [] },
  host: { oomScoreAdj: 0, capabilities: (1n << 41n) - 1n, architecture: "x86_64" },
  cgroups: {
    v1: [
      { mountPoint: "/sys/fs/cgroup/memory", controllers: ["memory"], name: undefined },
      { mountPoint: "/sys/fs/cgroup/devices", controllers: ["devices"], name: undefined },
    ],
    v2: undefined,
  },
  cgroupVersion: 1,
  memoryNodes: 1,
  cpus: 4,
  memoryBytes: 8 * 2 ** 30,
  hostname: "machine",
  kernelRelease: "6.1.0-18-amd64",
  storageDriver: "overlay",
  readyStarts: 4,
  securityModules: [],
  lastCapability: 40,
};

/** Paths of mounts on it. */
export const testPlaces: MountPlaces = {
  volume: (name) => `/volumes/${name}`,
  layer: (diffId) => `/layers/${diffId}`,
  nothing: "/nothing",
  part: "/part",
};
