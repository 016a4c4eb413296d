/** What a container's HostConfig is after an update: Docker's rules of what may follow what. Pure. */

import { OrlopError } from "../../base/errors.ts";
import type { HostConfig } from "../../spec/engine-api-host-config.ts";
import type { ContainerUpdate } from "../../spec/engine-api-update.ts";

/** @throws {OrlopError} update_conflict, in Docker's words */
export function updateHostConfig(before: HostConfig, update: ContainerUpdate): HostConfig {
  checkCpu(before, update);
  checkMemory(before, update);
  if (before.AutoRemove && update.RestartPolicy !== undefined && update.RestartPolicy.Name !== "no")
    throw conflict("Restart policy cannot be updated because AutoRemove is enabled for the container");
  const given = Object.fromEntries(Object.entries(update).filter(([, value]) => value !== undefined));
  return { ...before, ...given };
}

function checkCpu({ NanoCpus, CpuPeriod, CpuQuota }: HostConfig, update: ContainerUpdate): void {
  if (update.NanoCpus !== undefined && CpuPeriod > 0)
    throw conflict("Nano CPUs cannot be updated as CPU Period has already been set");
  if (update.NanoCpus !== undefined && CpuQuota > 0)
    throw conflict("Nano CPUs cannot be updated as CPU Quota has already been set");
  if (update.CpuPeriod !== undefined && NanoCpus > 0)
    throw conflict("CPU Period cannot be updated as NanoCPUs has already been set");
  if (update.CpuQuota !== undefined && NanoCpus > 0)
    throw conflict("CPU Quota cannot be updated as NanoCPUs has already been set");
}

/** Memory alone may grow where swap follows it by itself (0) or has no limit (-1). */
function checkMemory({ MemorySwap, Memory }: HostConfig, update: ContainerUpdate): void {
  const swap = MemorySwap === 0 && Memory > 0 ? 2 * Memory : MemorySwap;
  if (update.Memory !== undefined && update.MemorySwap === undefined && swap > 0 && update.Memory > swap)
    throw conflict(
      "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time",
    );
}

function conflict(reason: string): OrlopError {
  return OrlopError.of("update_conflict", { reason });
}
