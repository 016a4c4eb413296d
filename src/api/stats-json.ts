/** A container's statistics in the Engine API's spelling. */

import type { Container } from "../engine/containers/container.ts";
import type { Sample, StatsFrame } from "../engine/containers/container-stats.ts";
import type { Machine } from "../engine/machine.ts";
import { NEVER } from "./container-json.ts";

export function statsJson(
  { id, name }: Pick<Container, "id" | "name">,
  { before, now }: StatsFrame,
  machine: Machine,
): unknown {
  return {
    name: `/${name}`,
    id,
    read: timeOf(now),
    preread: timeOf(before),
    pids_stats: pids(now),
    blkio_stats: blockIo(now),
    num_procs: 0,
    storage_stats: {},
    cpu_stats: cpu(now),
    precpu_stats: cpu(before),
    memory_stats: memory(now, machine),
    ...(now?.interfaces === undefined || Object.keys(now.interfaces).length === 0 ? {} : { networks: networks(now) }),
  };
}

function timeOf(sample: Sample | undefined): string {
  return sample === undefined ? NEVER : new Date(sample.timeMs).toISOString();
}

function pids(sample: Sample | undefined): object {
  if (sample === undefined) return {};
  const { current, limit } = sample.usage.pids;
  return { current, ...(limit === undefined ? {} : { limit }) };
}

function cpu(sample: Sample | undefined): object {
  const usage = sample?.usage.cpu;
  return {
    cpu_usage: {
      total_usage: usage?.totalNs ?? 0,
      ...(usage?.perCpuNs === undefined ? {} : { percpu_usage: usage.perCpuNs }),
      usage_in_kernelmode: usage?.kernelNs ?? 0,
      usage_in_usermode: usage?.userNs ?? 0,
    },
    ...(sample === undefined
      ? {}
      : { system_cpu_usage: sample.machineCpu.totalNs, online_cpus: sample.machineCpu.online }),
    throttling_data: {
      periods: usage?.periods ?? 0,
      throttled_periods: usage?.throttledPeriods ?? 0,
      throttled_time: usage?.throttledNs ?? 0,
    },
  };
}

/** The container's memory limit; without one, the machine's memory. */
function memory(sample: Sample | undefined, { memoryBytes }: Machine): object {
  if (sample === undefined) return {};
  const { usageBytes, mostBytes, limitBytes, failures, stats } = sample.usage.memory;
  return {
    usage: usageBytes,
    ...(mostBytes === undefined ? {} : { max_usage: mostBytes }),
    stats,
    ...(failures === undefined || failures === 0 ? {} : { failcnt: failures }),
    limit: Math.min(limitBytes ?? memoryBytes, memoryBytes),
  };
}

/** As in Docker, lists that the kernel does not provide are empty with cgroup v1, and null with v2. */
function blockIo(sample: Sample | undefined): object {
  const io = sample?.usage.io;
  const none = io?.operations === undefined ? null : [];
  return {
    io_service_bytes_recursive: io?.bytes ?? null,
    io_serviced_recursive: io?.operations ?? null,
    io_queue_recursive: none,
    io_service_time_recursive: none,
    io_wait_time_recursive: none,
    io_merged_recursive: none,
    io_time_recursive: none,
    sectors_recursive: none,
  };
}

function networks({ interfaces }: Sample): object {
  return Object.fromEntries(
    Object.entries(interfaces ?? {}).map(([name, counters]) => [
      name,
      {
        rx_bytes: counters.rxBytes,
        rx_packets: counters.rxPackets,
        rx_errors: counters.rxErrors,
        rx_dropped: counters.rxDropped,
        tx_bytes: counters.txBytes,
        tx_packets: counters.txPackets,
        tx_errors: counters.txErrors,
        tx_dropped: counters.txDropped,
      },
    ]),
  );
}
