/** A container's HostConfig after an update, by Docker's rules of which change is allowed. Pure. */

import { OrlopError } from "../../base/errors.ts";
import type { HostConfig } from "../../spec/engine-api-host-config.ts";
import type { ContainerUpdate } from "../../spec/engine-api-update.ts";

/** @throws {OrlopError} update_conflict, with Docker's message */
export function updateHostConfig(id: string, before: HostConfig, update: ContainerUpdate): HostConfig {
  const reason = conflictOf(before, update);
  if (reason !== undefined) throw OrlopError.of("update_conflict", { id, reason });
  const given = Object.fromEntries(Object.entries(update).filter(([, value]) => value !== undefined));
  return { ...before, ...given };
}

function conflictOf(before: HostConfig, update: ContainerUpdate): string | undefined {
  const { NanoCpus, CpuPeriod, CpuQuota, AutoRemove } = before;
  if (update.NanoCpus !== undefined && CpuPeriod > 0)
    return "Conflicting options: Nano CPUs cannot be updated as CPU Period has already been set";
  if (update.NanoCpus !== undefined && CpuQuota > 0)
    return "Conflicting options: Nano CPUs cannot be updated as CPU Quota has already been set";
  if (update.CpuPeriod !== undefined && NanoCpus > 0)
    return "Conflicting options: CPU Period cannot be updated as NanoCPUs has already been set";
  if (update.CpuQuota !== undefined && NanoCpus > 0)
    return "Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set";
  if (isMemoryAboveSwap(before, update))
    return "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time";
  if (AutoRemove && update.RestartPolicy !== undefined && update.RestartPolicy.Name !== "no")
    return "Restart policy cannot be updated because AutoRemove is enabled for the container";
  return undefined;
}

/** Memory alone may be raised if the swap limit is derived from it (0) or absent (-1). */
function isMemoryAboveSwap({ MemorySwap, Memory }: HostConfig, update: ContainerUpdate): boolean {
  const swap = MemorySwap === 0 && Memory > 0 ? 2 * Memory : MemorySwap;
  return update.Memory !== undefined && update.MemorySwap === undefined && swap > 0 && update.Memory > swap;
}
