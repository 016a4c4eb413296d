/** HostConfig's limits as resources of the runtime specification, checked by Docker's rules, with Docker's messages. Pure. */

import { OrlopError } from "../../base/errors.ts";
import { rlimitOfUlimit } from "../../kernel/rlimits.ts";
import type { HostConfig } from "../../spec/engine-api-host-config.ts";
import type { CpuLimits, MemoryLimits, Resources, Rlimit } from "../../spec/runtime-spec.ts";
import type { Machine } from "../machine.ts";
import { blockIoOf, type FindDevice } from "./spec-block-io.ts";

const NANO = 1_000_000_000;
/** Microseconds; the kernel's default. */
const PERIOD = 100_000;

/** @throws {OrlopError} bad_limit for limits that contradict each other or exceed the machine; bad_value */
export function limitsOf(
  host: HostConfig,
  machine: Pick<Machine, "cpus" | "memoryNodes">,
  find: FindDevice,
): Resources {
  const memory = memoryOf(host);
  const cpu = cpuOf(host, machine);
  const blockIO = blockIoOf(host, find);
  return {
    ...(Object.keys(memory).length === 0 ? {} : { memory }),
    ...(Object.keys(cpu).length === 0 ? {} : { cpu }),
    ...(blockIO === undefined ? {} : { blockIO }),
    ...(host.PidsLimit > 0 ? { pids: { limit: host.PidsLimit } } : {}),
  };
}

/** Docker's warnings. */
export function limitWarnings({ OomKillDisable, Memory }: HostConfig): string[] {
  if (!OomKillDisable || Memory > 0) return [];
  return [
    "OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources.",
  ];
}

export function rlimitsOf(host: HostConfig): Rlimit[] {
  return host.Ulimits.map(rlimitOfUlimit);
}

function memoryOf(host: HostConfig): MemoryLimits {
  const { Memory, MemorySwap, MemoryReservation, MemorySwappiness, OomKillDisable } = host;
  if (MemorySwap > 0 && Memory === 0)
    throw limitError("MemorySwap", MemorySwap, "You should always set the Memory limit when using Memoryswap limit");
  if (MemorySwap > 0 && MemorySwap < Memory)
    throw limitError("MemorySwap", MemorySwap, "Minimum memoryswap limit should be larger than memory limit");
  if (Memory > 0 && MemoryReservation > Memory)
    throw limitError(
      "MemoryReservation",
      MemoryReservation,
      "Minimum memory limit can not be less than memory reservation limit",
    );
  // Docker's rule: as much swap again as memory, unless something else was asked for.
  const swap = MemorySwap === 0 && Memory > 0 ? 2 * Memory : MemorySwap;
  return {
    ...(Memory > 0 ? { limit: Memory } : {}),
    ...(swap === 0 ? {} : { swap }),
    ...(MemoryReservation > 0 ? { reservation: MemoryReservation } : {}),
    ...(MemorySwappiness === undefined || MemorySwappiness < 0 ? {} : { swappiness: MemorySwappiness }),
    ...(OomKillDisable ? { disableOOMKiller: true } : {}),
  };
}

function cpuOf(host: HostConfig, { cpus, memoryNodes }: Pick<Machine, "cpus" | "memoryNodes">): CpuLimits {
  const { NanoCpus, CpuPeriod, CpuQuota, CpuShares, CpusetCpus, CpusetMems } = host;
  if (NanoCpus > 0 && CpuPeriod > 0)
    throw limitError("CpuPeriod", CpuPeriod, "Conflicting options: Nano CPUs and CPU Period cannot both be set");
  if (NanoCpus > 0 && CpuQuota > 0)
    throw limitError("CpuQuota", CpuQuota, "Conflicting options: Nano CPUs and CPU Quota cannot both be set");
  if (NanoCpus > 0 && (NanoCpus < NANO / 100 || NanoCpus > cpus * NANO))
    throw limitError(
      "NanoCpus",
      NanoCpus,
      `Range of CPUs is from 0.01 to ${cpus}.00, as there are only ${cpus} CPUs available`,
    );
  if (CpuPeriod !== 0 && (CpuPeriod < 1000 || CpuPeriod > 1_000_000))
    throw limitError(
      "CpuPeriod",
      CpuPeriod,
      "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)",
    );
  if (CpuQuota > 0 && CpuQuota < 1000)
    throw limitError("CpuQuota", CpuQuota, "CPU cfs quota can not be less than 1ms (i.e. 1000)");
  if (CpuShares !== 0 && CpuShares < 2) throw limitError("CpuShares", CpuShares, "the minimum allowed cpu-shares is 2");
  if (CpuShares > 262_144) throw limitError("CpuShares", CpuShares, "the maximum allowed cpu-shares is 262144");
  checkCpuList("CpusetCpus", CpusetCpus, cpus);
  checkCpuList("CpusetMems", CpusetMems, memoryNodes);
  const quota = NanoCpus > 0 ? Math.round((NanoCpus * PERIOD) / NANO) : CpuQuota;
  const period = NanoCpus > 0 ? PERIOD : CpuPeriod;
  return {
    ...(CpuShares === 0 ? {} : { shares: CpuShares }),
    ...(quota === 0 ? {} : { quota }),
    ...(period === 0 ? {} : { period }),
    ...(CpusetCpus === "" ? {} : { cpus: CpusetCpus }),
    ...(CpusetMems === "" ? {} : { mems: CpusetMems }),
  };
}

const cpuLists = {
  CpusetCpus: { short: "cpuset cpus", long: "CPUs" },
  CpusetMems: { short: "cpuset mems", long: "memory nodes" },
} as const;

/** "0-2,7" (cpuset(7), "List format"). */
function checkCpuList(field: keyof typeof cpuLists, text: string, count: number): void {
  if (text === "") return;
  const { short, long } = cpuLists[field];
  for (const range of text.split(",")) {
    const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(range);
    const [first, last] = [Number(match?.[1]), Number(match?.[2] ?? match?.[1])];
    if (match === null || first > last)
      throw limitError(field, text, `Invalid value ${text} for ${short}: expected a list such as 0-2,7`);
    if (last >= count) {
      const available = count === 1 ? "0" : `0-${count - 1}`;
      throw limitError(field, text, `Requested ${long} are not available - requested ${text}, available: ${available}`);
    }
  }
}

/** @param reason Docker's message */
function limitError(field: string, value: number | string, reason: string): OrlopError {
  return OrlopError.of("bad_limit", { reason, what: `HostConfig.${field}`, value: String(value) });
}
