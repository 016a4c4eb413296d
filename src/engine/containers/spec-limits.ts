/** HostConfig's limits as the runtime specification's resources. Pure. Docker's rules, so its messages where it has any. */

import { OrlopError } from "../../base/errors.ts";
import { rlimitOfUlimit } from "../../kernel/rlimits.ts";
import type { HostConfig } from "../../spec/engine-api-host-config.ts";
import type { CpuLimits, MemoryLimits, Resources, Rlimit } from "../../spec/runtime-spec.ts";
import type { Machine } from "../machine.ts";
import { blockIoOf, type FindDevice } from "./spec-block-io.ts";

const NANO = 1_000_000_000;
/** Microseconds; the kernel's own. */
const PERIOD = 100_000;

/** @throws {OrlopError} bad_value: what contradicts what, or is more than the machine has */
export function limitsOf(host: HostConfig, machine: Pick<Machine, "cpus">, find: FindDevice): Resources {
  const memory = memoryOf(host);
  const cpu = cpuOf(host, machine.cpus);
  const blockIO = blockIoOf(host, find);
  return {
    ...(Object.keys(memory).length === 0 ? {} : { memory }),
    ...(Object.keys(cpu).length === 0 ? {} : { cpu }),
    ...(blockIO === undefined ? {} : { blockIO }),
    ...(host.PidsLimit > 0 ? { pids: { limit: host.PidsLimit } } : {}),
  };
}

export function rlimitsOf(host: HostConfig): Rlimit[] {
  return host.Ulimits.map(rlimitOfUlimit);
}

function memoryOf(host: HostConfig): MemoryLimits {
  const { Memory, MemorySwap, MemoryReservation, MemorySwappiness, OomKillDisable } = host;
  if (MemorySwap > 0 && Memory === 0)
    throw limitError("MemorySwap", MemorySwap, "Memory to be set too: it counts both");
  if (MemorySwap > 0 && MemorySwap < Memory)
    throw limitError("MemorySwap", MemorySwap, `at least Memory (${Memory}): it counts memory and swap together`);
  if (Memory > 0 && MemoryReservation > Memory)
    throw limitError("MemoryReservation", MemoryReservation, `at most Memory (${Memory})`);
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

function cpuOf(host: HostConfig, cpus: number): CpuLimits {
  const { NanoCpus, CpuPeriod, CpuQuota, CpuShares, CpusetCpus, CpusetMems } = host;
  if (NanoCpus > 0 && CpuPeriod > 0)
    throw limitError("CpuPeriod", CpuPeriod, "nothing: NanoCpus is set, which says both period and quota");
  if (NanoCpus > 0 && CpuQuota > 0)
    throw limitError("CpuQuota", CpuQuota, "nothing: NanoCpus is set, which says both period and quota");
  if (NanoCpus > 0 && (NanoCpus < NANO / 100 || NanoCpus > cpus * NANO))
    throw limitError("NanoCpus", NanoCpus, `0.01 to ${cpus} CPUs, in billionths: this machine has ${cpus}`);
  if (CpuPeriod !== 0 && (CpuPeriod < 1000 || CpuPeriod > 1_000_000))
    throw limitError("CpuPeriod", CpuPeriod, "1000 to 1000000 microseconds");
  if (CpuQuota > 0 && CpuQuota < 1000) throw limitError("CpuQuota", CpuQuota, "at least 1000 microseconds");
  if (CpuShares !== 0 && (CpuShares < 2 || CpuShares > 262_144))
    throw limitError("CpuShares", CpuShares, "2 to 262144");
  checkCpuList("CpusetCpus", CpusetCpus, cpus);
  checkCpuList("CpusetMems", CpusetMems, Number.POSITIVE_INFINITY);
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

/** "0-2,7" (cpuset(7), "List format"). */
function checkCpuList(field: string, text: string, count: number): void {
  if (text === "") return;
  for (const range of text.split(",")) {
    const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(range);
    const [first, last] = [Number(match?.[1]), Number(match?.[2] ?? match?.[1])];
    if (match === null || first > last) throw limitError(field, text, "a list such as 0-2,7");
    if (last >= count) throw limitError(field, text, `CPUs that this machine has: 0-${count - 1}`);
  }
}

function limitError(field: string, value: number | string, expected: string): OrlopError {
  return OrlopError.of("bad_value", { what: `HostConfig.${field}`, value: String(value), expected });
}
