/** Limits, and what contradicts what. */

import { expect, test } from "bun:test";
import { hostConfig } from "../../spec/engine-api-host-config.ts";
import { limitsOf } from "./spec-limits.ts";

const MiB = 2 ** 20;
const limits = (fields: Record<string, unknown>) =>
  limitsOf(hostConfig(fields, "HostConfig"), { cpus: 4, memoryNodes: 1 }, () => ({ major: 8, minor: 0 }));

test.each([
  [{}, {}],
  [{ Memory: 64 * MiB }, { memory: { limit: 64 * MiB, swap: 128 * MiB } }],
  [{ Memory: 64 * MiB, MemorySwap: -1 }, { memory: { limit: 64 * MiB, swap: -1 } }],
  [{ Memory: 64 * MiB, MemorySwap: 64 * MiB }, { memory: { limit: 64 * MiB, swap: 64 * MiB } }],
  [{ MemoryReservation: 8 * MiB }, { memory: { reservation: 8 * MiB } }],
  [{ MemorySwappiness: 0 }, { memory: { swappiness: 0 } }],
  [{ MemorySwappiness: -1 }, {}],
  [{ OomKillDisable: true }, { memory: { disableOOMKiller: true } }],
  [{ NanoCpus: 1.5e9 }, { cpu: { quota: 150_000, period: 100_000 } }],
  [{ CpuQuota: 50_000 }, { cpu: { quota: 50_000 } }],
  [{ CpuQuota: -1, CpuPeriod: 20_000 }, { cpu: { quota: -1, period: 20_000 } }],
  [{ CpuShares: 512, CpusetCpus: "0-1,3", CpusetMems: "0" }, { cpu: { shares: 512, cpus: "0-1,3", mems: "0" } }],
  [{ PidsLimit: 50 }, { pids: { limit: 50 } }],
  [{ PidsLimit: -1 }, {}],
  [{ PidsLimit: -5 }, {}],
])("%j", (fields, expected) => {
  expect(limits(fields)).toEqual(expected);
});

test.each([
  [{ MemorySwap: 64 * MiB }, "MemorySwap"],
  [{ Memory: 64 * MiB, MemorySwap: 32 * MiB }, "MemorySwap"],
  [{ Memory: 64 * MiB, MemoryReservation: 65 * MiB }, "MemoryReservation"],
  [{ NanoCpus: 1e9, CpuQuota: 1000 }, "CpuQuota"],
  [{ NanoCpus: 1e9, CpuPeriod: 1000 }, "CpuPeriod"],
  [{ NanoCpus: 5e9 }, "NanoCpus"],
  [{ NanoCpus: 1000 }, "NanoCpus"],
  [{ CpuPeriod: 10 }, "CpuPeriod"],
  [{ CpuQuota: 999 }, "CpuQuota"],
  [{ CpuShares: 1 }, "CpuShares"],
  [{ CpusetCpus: "4" }, "CpusetCpus"],
  [{ CpusetCpus: "3-1" }, "CpusetCpus"],
  [{ CpusetMems: "all" }, "CpusetMems"],
  [{ CpusetMems: "1" }, "CpusetMems"],
])("%j is refused by %s", (fields, name) => {
  expect(() => limits(fields)).toThrow(`: HostConfig.${name} is `);
});
