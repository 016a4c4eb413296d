/** One line of `orlop stats`, computed as Docker's CLI computes it. */
import { formatBinarySize, formatSize } from "../base/size.ts";
import type { StatsFrame } from "../client/stats-types.ts";

/** The names are those of Docker's `--format json`. */
export interface StatsRow {
  readonly ID: string;
  readonly Container: string;
  readonly Name: string;
  readonly CPUPerc: string;
  readonly MemUsage: string;
  readonly MemPerc: string;
  readonly NetIO: string;
  readonly BlockIO: string;
  readonly PIDs: string;
}

export const statsTitles = {
  ID: "CONTAINER ID",
  Container: "CONTAINER",
  Name: "NAME",
  CPUPerc: "CPU %",
  MemUsage: "MEM USAGE / LIMIT",
  MemPerc: "MEM %",
  NetIO: "NET I/O",
  BlockIO: "BLOCK I/O",
  PIDs: "PIDS",
};

export function statsRow(frame: StatsFrame, whole: boolean): StatsRow {
  const used = memoryOf(frame);
  const limit = frame.memory_stats.limit ?? 0;
  const networks = Object.values(frame.networks ?? {});
  const sum = (field: "rx_bytes" | "tx_bytes") => networks.reduce((total, one) => total + one[field], 0);
  return {
    ID: whole ? frame.id : frame.id.slice(0, 12),
    Container: whole ? frame.id : frame.id.slice(0, 12),
    Name: frame.name.replace(/^\//, ""),
    CPUPerc: `${cpuPercent(frame).toFixed(2)}%`,
    MemUsage: `${formatBinarySize(used)} / ${formatBinarySize(limit)}`,
    MemPerc: `${(limit === 0 ? 0 : (used / limit) * 100).toFixed(2)}%`,
    NetIO: `${formatSize(sum("rx_bytes"))} / ${formatSize(sum("tx_bytes"))}`,
    BlockIO: `${formatSize(blockBytes(frame, "r"))} / ${formatSize(blockBytes(frame, "w"))}`,
    PIDs: String(frame.pids_stats.current ?? 0),
  };
}

/** 100 for each CPU that was busy all the time between the two looks. */
export function cpuPercent({ cpu_stats: now, precpu_stats: before }: StatsFrame): number {
  const used = now.cpu_usage.total_usage - before.cpu_usage.total_usage;
  const passed = (now.system_cpu_usage ?? 0) - (before.system_cpu_usage ?? 0);
  if (used <= 0 || passed <= 0 || before.system_cpu_usage === undefined) return 0;
  return (used / passed) * (now.online_cpus ?? 1) * 100;
}

/** Without what the kernel would give up at once: file pages that were not used for long (v1 and v2 name it differently). */
function memoryOf({ memory_stats: { usage = 0, stats = {} } }: StatsFrame): number {
  const idle = stats["total_inactive_file"] ?? stats["inactive_file"] ?? 0;
  return idle < usage ? usage - idle : usage;
}

function blockBytes({ blkio_stats }: StatsFrame, direction: "r" | "w"): number {
  const entries = blkio_stats.io_service_bytes_recursive ?? [];
  return entries
    .filter(({ op }) => op.toLowerCase().startsWith(direction))
    .reduce((total, { value }) => total + value, 0);
}
