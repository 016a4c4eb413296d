/** Limits: each seen in the file of the container's group, or in /proc of its process. At create, and by update while it runs. */

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import type { Need } from "../kernel/harness.ts";
import { wholes } from "./generate.ts";
import { acts, at, type Row, shows } from "./row.ts";
import { type Fragment, merged, type Seen } from "./stage.ts";

const v1: readonly Need[] = ["cgroup1"];
const MIB = 1 << 20;
const PAGE = 4096;
const cpus = availableParallelism();
const sizes = wholes(6 * MIB, 512 * MIB, PAGE);
const half = "9223372036854771712"; // without limit, as v1 writes it

export interface Limit<V> {
  readonly values: readonly V[];
  readonly look: (seen: Seen, value: V) => string;
  readonly wanted: (value: V) => string;
  /** What it needs beside it. */
  readonly beside?: (value: V) => Fragment;
}

function limit<V extends number | string | boolean>(
  values: readonly V[],
  [controller, file]: readonly [string, string],
  wanted: (value: V) => string = String,
  beside?: (value: V) => Fragment,
): Limit<V> {
  return { values, look: (seen) => seen.group(controller, file), wanted, ...(beside && { beside }) };
}

const cpuLists = cpus > 1 ? ["0", "1", "0-1", `0-${cpus - 1}`, "0,1"] : ["0", "0-0"];

/** By the field's name in Resources; update takes them too. */
const limits = {
  CpuShares: limit(wholes(2, 262_144), ["cpu", "cpu.shares"]),
  Memory: limit(sizes, ["memory", "memory.limit_in_bytes"], String, (value) => ({ MemorySwap: 2 * value })),
  MemoryReservation: limit(sizes, ["memory", "memory.soft_limit_in_bytes"]),
  MemorySwap: limit(
    [-1, ...sizes.map((size) => size + 6 * MIB)],
    ["memory", "memory.memsw.limit_in_bytes"],
    (value) => (value === -1 ? half : String(value)),
    () => ({ Memory: 6 * MIB }),
  ),
  CpuPeriod: limit(wholes(1000, 1_000_000), ["cpu", "cpu.cfs_period_us"]),
  CpuQuota: limit([-1, ...wholes(1000, 10_000_000)], ["cpu", "cpu.cfs_quota_us"]),
  NanoCpus: limit(wholes(10_000_000, cpus * 1_000_000_000, 10_000), ["cpu", "cpu.cfs_quota_us"], (value) =>
    String(value / 10_000),
  ),
  CpusetCpus: limit(cpuLists, ["cpuset", "cpuset.cpus"], (list) => list.replace(/^0,1$/, "0-1").replace("0-0", "0")),
  CpusetMems: limit(["0", "0-0"], ["cpuset", "cpuset.mems"], () => "0"),
  BlkioWeight: limit(wholes(10, 1000), ["blkio", "blkio.bfq.weight"]),
  PidsLimit: limit([-7, -1, 0, ...wholes(2, 4_194_304)], ["pids", "pids.max"], (value) =>
    value <= 0 ? "max" : String(value),
  ),
} as const;

/** Below its own no process may go without CAP_SYS_RESOURCE. */
const mayRaise = (BigInt(`0x${/^CapEff:\t(\w+)$/m.exec(ownFile("status"))?.[1]}`) >> 24n) % 2n === 1n;
const leastScore = mayRaise ? -1000 : Number(ownFile("oom_score_adj"));

function ownFile(name: string): string {
  return readFileSync(`/proc/self/${name}`, "utf8");
}

/** Those that stay as they were made. */
const fixedLimits = {
  MemorySwappiness: limit([-1, ...wholes(0, 100)], ["memory", "memory.swappiness"], (value) =>
    value === -1 ? "60" : String(value),
  ),
  OomKillDisable: {
    values: [true, false],
    look: (seen: Seen) => seen.group("memory", "memory.oom_control").split("\n")[0] ?? "",
    wanted: (value: boolean) => `oom_kill_disable ${value ? 1 : 0}`,
    beside: () => ({ Memory: 64 * MIB }),
  },
  OomScoreAdj: {
    values: wholes(leastScore, 1000),
    look: (seen: Seen) => seen.proc("oom_score_adj"),
    wanted: String,
  },
} as const;

function rowOf<V>(name: string, { values, look, wanted, beside }: Limit<V>): Row {
  const ask = (value: V) => ({ HostConfig: { ...beside?.(value), [name]: value } });
  return shows(values, ask, look, wanted, v1);
}

function blockDevice(): { readonly path: string; readonly numbers: string } {
  const path = ["/dev/vda", "/dev/sda", "/dev/nvme0n1", "/dev/loop0"].find((one) => existsSync(one));
  if (path === undefined) throw new Error("this machine has no block device");
  const [major = "", minor = ""] = execFileSync("stat", ["-c", "%t %T", path], { encoding: "utf8" }).trim().split(" ");
  return { path, numbers: `${Number.parseInt(major, 16)}:${Number.parseInt(minor, 16)}` };
}

function rate(field: string, file: string, most: number): Readonly<Record<string, Row>> {
  const row = shows(
    wholes(1, most),
    (Rate) => ({ HostConfig: { [field]: [{ Path: blockDevice().path, Rate }] } }),
    (seen) => seen.group("blkio", `blkio.throttle.${file}_device`),
    (value) => `${blockDevice().numbers} ${value}`,
    v1,
  );
  return { [`HostConfig.${field}[].Path`]: row, [`HostConfig.${field}[].Rate`]: row };
}

/** [its name, its line in /proc/PID/limits] */
const ulimits: readonly (readonly [string, string])[] = [
  ["core", "Max core file size"],
  ["cpu", "Max cpu time"],
  ["data", "Max data size"],
  ["fsize", "Max file size"],
  ["locks", "Max file locks"],
  ["memlock", "Max locked memory"],
  ["msgqueue", "Max msgqueue size"],
  ["nice", "Max nice priority"],
  ["nofile", "Max open files"],
  ["nproc", "Max processes"],
  ["rss", "Max resident set"],
  ["rtprio", "Max realtime priority"],
  ["rttime", "Max realtime timeout"],
  ["sigpending", "Max pending signals"],
  ["stack", "Max stack size"],
];

function limitLine(seen: Seen, title: string): string {
  const line = seen
    .proc("limits")
    .split("\n")
    .find((one) => one.startsWith(title));
  return (line ?? "").slice(title.length).trim().split(/\s+/).slice(0, 2).join(" ");
}

/** Enough for a program to run with, and no more than this process has itself. */
function limitOf(title: string): number {
  const most = new RegExp(`^${title} +\\S+ +(\\S+)`, "m").exec(ownFile("limits"))?.[1] ?? "0";
  return most === "unlimited" || mayRaise ? 100_000_000 : Math.min(Number(most), 100_000_000);
}

const named = shows(
  ulimits,
  ([Name, title]) => ({ HostConfig: { Ulimits: [{ Name, Soft: limitOf(title) >> 1, Hard: limitOf(title) }] } }),
  (seen, [, title]) => limitLine(seen, title),
  ([, title]) => `${limitOf(title) >> 1} ${limitOf(title)}`,
);

/** Only a disk whose scheduler is BFQ has weights: of others the kernel's refusal is told. */
const deviceWeights = acts(
  wholes(10, 1000),
  (Weight, stage) =>
    stage
      .running({ HostConfig: { BlkioWeightDevice: [{ Path: blockDevice().path, Weight }] } }, (seen) =>
        seen.group("blkio", "blkio.bfq.weight_device"),
      )
      .catch((error: Error) => error.message.replace(/^.*init: /, "").replace(/: \/.*$/, "")),
  (Weight) => {
    const { path, numbers } = blockDevice();
    const schedulers = readFileSync(`/sys/block/${path.slice("/dev/".length)}/queue/scheduler`, "utf8");
    if (schedulers.includes("[bfq]")) return `default 100\n${numbers} ${Weight}`;
    return `limit blkio.bfq.weight_device=${numbers} ${Weight}: EOPNOTSUPP`;
  },
  v1,
);

const shown = (value: number): string => (value === -1 ? "unlimited" : String(value));

export const limitRows: Readonly<Record<string, Row>> = {
  ...Object.fromEntries(
    Object.entries({ ...limits, ...fixedLimits }).map(([name, one]) => [
      `HostConfig.${name}`,
      rowOf(name, one as Limit<number | string | boolean>),
    ]),
  ),
  ...rate("BlkioDeviceReadBps", "read_bps", 2 ** 40),
  ...rate("BlkioDeviceWriteBps", "write_bps", 2 ** 40),
  ...rate("BlkioDeviceReadIOps", "read_iops", 2 ** 32 - 2),
  ...rate("BlkioDeviceWriteIOps", "write_iops", 2 ** 32 - 2),
  ...Object.fromEntries(["Path", "Weight"].map((name) => [`HostConfig.BlkioWeightDevice[].${name}`, deviceWeights])),
  "HostConfig.Ulimits[].Name": named,
  "HostConfig.Ulimits[].Soft": shows(
    [0, ...wholes(1, 1_000_000), -1],
    (Soft) => ({ HostConfig: { Ulimits: [{ Name: "core", Soft, Hard: -1 }] } }),
    (seen) => limitLine(seen, "Max core file size"),
    (value) => `${shown(value)} unlimited`,
  ),
  "HostConfig.Ulimits[].Hard": shows(
    [0, ...wholes(1, 1_000_000), -1],
    (Hard) => ({ HostConfig: { Ulimits: [{ Name: "core", Soft: 0, Hard }] } }),
    (seen) => limitLine(seen, "Max core file size"),
    (value) => `0 ${shown(value)}`,
  ),
};

/** By update: set beside another value first, so that the change is what is seen. */
export const updateRows: Readonly<Record<string, Row>> = Object.fromEntries(
  Object.entries(limits).map(([name, one]) => {
    const { values, look, wanted, beside } = one as Limit<number | string>;
    const change = async (seen: Seen, value: number | string): Promise<string> => {
      const path = `/containers/${seen.id}/update`;
      const json = merged({ ...beside?.(value) }, at(name, value));
      await seen.stage.product.engine.done({ method: "POST", path, json });
      return look(seen, value);
    };
    return [name, shows(values, () => ({}), change, wanted, v1)];
  }),
);
