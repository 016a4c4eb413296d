/** Limits on the command line: those that a running container's can be changed to, `--cpus` and `--ulimit`. */
import { OrlopError } from "../base/errors.ts";
import type { ContainerChange, HostConfig } from "../client/container-types.ts";
import type { Flags, FlagValues } from "../command/flag.ts";

/** Of `run`, `create` and `update` alike. */
export const changeableLimitFlags = {
  memory: { heading: "Limits", type: "size", short: "m", help: "Memory limit" },
  memorySwap: { type: "size", unlimited: true, help: "Limit of memory and swap together; -1: unlimited swap" },
  memoryReservation: { type: "size", help: "Memory that the container keeps when memory is scarce" },
  cpus: { type: "text", value: "CPUS", help: "CPU time that the container may use, in CPUs, e.g. 1.5" },
  cpuShares: { type: "integer", short: "c", min: 0, help: "Share of CPU time when it is scarce (default 1024)" },
  cpuPeriod: { type: "integer", value: "MICROSECONDS", min: 0, help: "Period of --cpu-quota" },
  cpuQuota: { type: "integer", value: "MICROSECONDS", help: "CPU time in each period; -1: no limit" },
  cpusetCpus: { type: "text", value: "CPUS", help: "CPUs to run on, e.g. 0-2,4" },
  cpusetMems: { type: "text", value: "NODES", help: "Memory nodes to use, e.g. 0,1" },
  pidsLimit: { type: "integer", help: "Limit of processes and threads; -1: none" },
  blkioWeight: { type: "integer", min: 0, max: 1000, help: "Relative weight of its disk access (10 to 1000)" },
} as const satisfies Flags;

/** What the flags say, as the API has it; what they do not say is undefined. @throws {OrlopError} bad_value */
export function changeableLimits(flags: FlagValues<typeof changeableLimitFlags>): {
  readonly [K in keyof ContainerChange]: ContainerChange[K] | undefined;
} {
  return {
    Memory: flags.memory,
    MemorySwap: flags.memorySwap,
    MemoryReservation: flags.memoryReservation,
    NanoCpus: flags.cpus === undefined ? undefined : parseCpus(flags.cpus),
    CpuShares: flags.cpuShares,
    CpuPeriod: flags.cpuPeriod,
    CpuQuota: flags.cpuQuota,
    CpusetCpus: flags.cpusetCpus,
    CpusetMems: flags.cpusetMems,
    PidsLimit: flags.pidsLimit,
    BlkioWeight: flags.blkioWeight,
  };
}

/** CPUs as the API counts them, in billionths: "1.5" → 1 500 000 000, by digits, as a float would round. */
export function parseCpus(text: string): number {
  const match = /^(\d{1,6})?(?:\.(\d{1,9}))?$/.exec(text);
  const nanoCpus = match === null ? 0 : Number(match[1] ?? 0) * 1e9 + Number((match[2] ?? "").padEnd(9, "0"));
  if (nanoCpus === 0)
    throw OrlopError.of("bad_value", { what: "--cpus", value: text, expected: "a number of CPUs over 0, e.g. 1.5" });
  return nanoCpus;
}

/** `nofile=1024:2048`, `core=0`, `memlock=-1` (no limit). */
export function parseUlimit(text: string): NonNullable<HostConfig["Ulimits"]>[number] {
  const match = /^([a-z]+)=(-1|\d{1,15}|unlimited)(?::(-1|\d{1,15}|unlimited))?$/.exec(text);
  const soft = limitOf(match?.[2]);
  const hard = limitOf(match?.[3] ?? match?.[2]);
  if (match === null || (hard !== -1 && (soft === -1 || soft > hard)))
    throw OrlopError.of("bad_value", {
      what: "--ulimit",
      value: text,
      expected: "NAME=SOFT[:HARD] with SOFT not over HARD; -1 is unlimited",
    });
  return { Name: match[1] as string, Soft: soft, Hard: hard };
}

function limitOf(text: string | undefined): number {
  return text === "unlimited" ? -1 : Number(text);
}
