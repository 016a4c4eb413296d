import { expect, test } from "bun:test";
import type { StatsFrame } from "../client/stats-types.ts";
import { cpuPercent, statsRow } from "./stats-row.ts";

const frame: StatsFrame = {
  id: "4f5e".padEnd(64, "0"),
  name: "/web",
  cpu_stats: { cpu_usage: { total_usage: 1_500_000_000 }, system_cpu_usage: 12_000_000_000, online_cpus: 2 },
  precpu_stats: { cpu_usage: { total_usage: 1_000_000_000 }, system_cpu_usage: 10_000_000_000, online_cpus: 2 },
  memory_stats: { usage: 3 << 20, limit: 12 << 20, stats: { total_inactive_file: 1 << 20 } },
  pids_stats: { current: 7 },
  networks: { eth0: { rx_bytes: 1000, tx_bytes: 20 }, eth1: { rx_bytes: 500, tx_bytes: 1 } },
  blkio_stats: {
    io_service_bytes_recursive: [
      { op: "read", value: 4096 },
      { op: "Write", value: 1_000_000 },
      { op: "total", value: 9 },
    ],
  },
};

test("every column", () => {
  expect(Object.values(statsRow(frame, false))).toEqual([
    "4f5e00000000",
    "4f5e00000000",
    "web",
    "50.00%",
    "2MiB / 12MiB",
    "16.67%",
    "1.5kB / 21B",
    "4.1kB / 1MB",
    "7",
  ]);
});

test("a container that does not run uses nothing", () => {
  const empty: StatsFrame = {
    ...frame,
    cpu_stats: { cpu_usage: { total_usage: 0 } },
    precpu_stats: { cpu_usage: { total_usage: 0 } },
    memory_stats: {},
    pids_stats: {},
    networks: {},
    blkio_stats: { io_service_bytes_recursive: null },
  };
  expect(Object.values(statsRow(empty, false)).slice(3)).toEqual([
    "0.00%",
    "0B / 0B",
    "0.00%",
    "0B / 0B",
    "0B / 0B",
    "0",
  ]);
});

test("without a look before there is no rate", () => {
  expect(cpuPercent({ ...frame, precpu_stats: { cpu_usage: { total_usage: 0 } } })).toBe(0);
});
