/** `orlop update`. */
import { OrlopError } from "../base/errors.ts";
import type { ContainerChange } from "../client/container-types.ts";
import { command } from "./context.ts";
import { forEachContainer } from "./each.ts";
import { withFlagName } from "./flag-of-field.ts";
import { parseCpus } from "./limit-flags.ts";

import { parseRestartPolicy } from "./restart-flag.ts";
export const update = command({
  name: "update",
  summary: "Change the limits of containers, running ones too",
  args: "CONTAINER...",
  flags: {
    memory: { type: "size", short: "m", help: "Memory limit" },
    memorySwap: { type: "size", unlimited: true, help: "Limit of memory and swap together; -1: unlimited swap" },
    memoryReservation: { type: "size", help: "Memory that the container keeps when memory is scarce" },
    cpus: { type: "text", value: "CPUS", help: "CPU time, in CPUs, e.g. 1.5" },
    cpuShares: { type: "integer", short: "c", min: 0, help: "Share of CPU time when it is scarce (normal: 1024)" },
    cpuPeriod: { type: "integer", min: 0, help: "Length of a period of CPU time, in microseconds" },
    cpuQuota: { type: "integer", min: -1, help: "CPU time in a period, in microseconds; -1: no limit" },
    cpusetCpus: { type: "text", value: "LIST", help: "CPUs it may run on, e.g. 0-2,7" },
    cpusetMems: { type: "text", value: "LIST", help: "Memory nodes it may use" },
    pidsLimit: { type: "integer", min: -1, help: "Limit of processes and threads; -1: none" },
    blkioWeight: { type: "integer", min: 0, max: 1000, help: "Relative weight of its disk access (10 to 1000)" },
    cpuRtPeriod: { type: "later", takesValue: true, help: "" },
    cpuRtRuntime: { type: "later", takesValue: true, help: "" },
    kernelMemory: { type: "later", takesValue: true, help: "" },
    restart: {
      type: "text",
      value: "POLICY",
      help: "Start it again when it has ended: no, on-failure[:RETRIES], always or unless-stopped",
    },
  },
  inEngine: true,
  examples: ["orlop update -m 512m --memory-swap 1g web", "orlop update --cpus 0.5 web db"],
  async run({ args, flags, ...context }) {
    const fields = {
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
      RestartPolicy: flags.restart === undefined ? undefined : parseRestartPolicy(flags.restart),
    };
    const change: ContainerChange = Object.fromEntries(
      Object.entries(fields).filter(([, value]) => value !== undefined),
    );
    if (Object.keys(change).length === 0) throw OrlopError.of("nothing_to_change", {});
    return forEachContainer(args, context, async (name) => {
      const { Warnings } = await context.engine.containers.update(name, change).catch((error: unknown) => {
        throw withFlagName(error);
      });
      for (const warning of Warnings ?? []) await context.warn(`orlop: warning: ${warning}`);
    });
  },
});
