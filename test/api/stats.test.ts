/** Statistics checked against load that the test makes. */

import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { cpuPercent } from "../../src/cli/stats-row.ts";
import type { StatsFrame } from "../../src/client/stats-types.ts";
import { testWhere } from "../kernel/harness.ts";
import { waitUntil } from "../wait-until.ts";
import { docker, messageOf, open, request, useProduct } from "./engine-fixture.ts";

const product = useProduct();
const ask = (method: string, path: string, body?: unknown) => request(product(), method, path, body);

interface Frame extends StatsFrame {
  readonly read: string;
  readonly preread: string;
  readonly cpu_stats: StatsFrame["cpu_stats"] & {
    readonly throttling_data: { readonly periods: number; readonly throttled_periods: number };
  };
  readonly pids_stats: { readonly current?: number; readonly limit?: number };
  readonly networks?: Readonly<Record<string, Readonly<Record<`${"rx" | "tx"}_${"bytes" | "packets"}`, number>>>>;
}

const MiB = 1 << 20;

async function start(name: string, script: string, host: Record<string, unknown> = {}): Promise<void> {
  const body = { Image: "host", Cmd: ["sh", "-c", script], HostConfig: host };
  expect((await ask("POST", `/containers/create?name=${name}`, body)).status).toBe(201);
  expect((await ask("POST", `/containers/${name}/start`)).status).toBe(204);
}

async function frame(name: string, query = "stream=0"): Promise<Frame> {
  const answer = await ask("GET", `/containers/${name}/stats?${query}`);
  expect(answer.status).toBe(200);
  return JSON.parse(answer.body.slice(answer.body.indexOf("{"), answer.body.lastIndexOf("}") + 1)) as Frame;
}

const remove = (name: string) => ask("DELETE", `/containers/${name}?force=1`);

/** /proc counts in hundredths of a second; of two values that differ each may be one off. */
const tickSeconds = 0.03;

/** CPU time of a process and the children that it has waited for, in seconds. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /s, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

test("CPU: what the container's process itself is told to have used", async () => {
  await start("busy", "while :; do :; done");
  const { State } = JSON.parse((await ask("GET", "/containers/busy/json")).body) as { State: { Pid: number } };
  /** A frame, and what the process had used right before and after. */
  const between = async (query: string) => {
    const least = cpuSeconds(State.Pid);
    const { cpu_stats, ...rest } = await frame("busy", query);
    return {
      least,
      told: cpu_stats.cpu_usage.total_usage / 1e9,
      most: cpuSeconds(State.Pid),
      rest: { ...rest, cpu_stats },
    };
  };
  const [first, second] = [await between("stream=0&one-shot=1"), await between("stream=0")];
  expect(first.rest.precpu_stats.cpu_usage.total_usage).toBe(0);
  const counted = second.told - first.told;
  expect(counted).toBeGreaterThan(second.least - first.most - tickSeconds);
  expect(counted).toBeLessThan(second.most - first.least + tickSeconds);
  expect(cpuPercent(second.rest)).toBeGreaterThan(0);
  expect(Date.parse(second.rest.read) - Date.parse(second.rest.preread)).toBeGreaterThanOrEqual(990);
  await remove("busy");
});

test("CPU: a limit is seen in the rate, and in the periods in which it was held back", async () => {
  await start("held", "while :; do :; done", { NanoCpus: 200_000_000 });
  const begunMs = performance.now();
  const first = await frame("held", "stream=0&one-shot=1");
  let last = first;
  const isHeldBack = async (): Promise<boolean> => {
    last = await frame("held");
    const { periods, throttled_periods } = last.cpu_stats.throttling_data;
    return periods > 3 && throttled_periods > 0;
  };
  await waitUntil(isHeldBack, 20_000, "it was held back");
  const usedMs = (last.cpu_stats.cpu_usage.total_usage - first.cpu_stats.cpu_usage.total_usage) / 1e6;
  // A fifth of the time that was there, and what two periods at its ends may give.
  expect(usedMs).toBeLessThan((performance.now() - begunMs) / 5 + 2 * 20 + 10);
  await remove("held");
});

test("memory and processes: what the container holds, and its limits", async () => {
  const fill = `head -c ${40 * MiB} /dev/zero > /dev/shm/full`;
  await start("full", `${fill}; sleep 100 & sleep 100 & echo ready; wait`, { Memory: 128 * MiB, PidsLimit: 50 });
  await waitUntil(
    async () => (await ask("GET", "/containers/full/logs?stdout=1")).body.includes("ready"),
    5000,
    "it is full",
  );
  const { memory_stats, pids_stats } = await frame("full", "stream=0&one-shot=1");
  expect(memory_stats.limit).toBe(128 * MiB);
  expect(memory_stats.usage).toBeGreaterThan(40 * MiB);
  expect(memory_stats.usage).toBeLessThan(60 * MiB);
  expect(pids_stats).toEqual({ current: 3, limit: 50 });
  await remove("full");
});

/** The disk that the containers' changes go to; undefined where they go to none. */
function diskOf(directory: string): string | undefined {
  const { stdout } = Bun.spawnSync(["findmnt", "-nvo", "SOURCE", "-T", directory]);
  const source = stdout.toString().trim();
  return source.startsWith("/dev/") && existsSync(source) ? source : undefined;
}

test("block I/O: what was written past the page cache is counted, and a throttle holds it back", async () => {
  const disk = diskOf(product().stateDir);
  if (disk === undefined) return;
  const begunMs = performance.now();
  await start("writing", "dd if=/dev/zero of=/written bs=1M count=8 oflag=direct 2>/dev/null; echo done; sleep 100", {
    BlkioDeviceWriteBps: [{ Path: disk, Rate: 8 * MiB }],
  });
  await waitUntil(
    async () => (await ask("GET", "/containers/writing/logs?stdout=1")).body.includes("done"),
    10_000,
    "it has written",
  );
  expect(performance.now() - begunMs).toBeGreaterThan(700);
  const { blkio_stats } = await frame("writing", "stream=0&one-shot=1");
  const written = (blkio_stats.io_service_bytes_recursive ?? []).filter(({ op }) => op === "write");
  const bytes = written.reduce((sum, { value }) => sum + value, 0);
  expect(bytes).toBeGreaterThanOrEqual(8 * MiB);
  expect(bytes).toBeLessThan(9 * MiB); // some of the file system's own blocks
  await remove("writing");
});

testWhere("nft", "busybox")("network: the bytes and packets that it sent, and those of the answers", async () => {
  const [pings, payload] = [50, 1000];
  const gateway = `$(busybox ip route | busybox awk '/^default/ { print $3 }')`;
  await start("pinging", `busybox ping -A -q -c ${pings} -s ${payload} ${gateway}; echo ended $?; sleep 100`);
  const output = async () => (await ask("GET", "/containers/pinging/logs?stdout=1&stderr=1")).body;
  await waitUntil(async () => (await output()).includes("ended"), 10_000, "it has pinged");
  expect(await output()).toContain(`${pings} packets received`);
  const { eth0 } = (await frame("pinging", "stream=0&one-shot=1")).networks ?? {};
  const bytes = pings * (payload + 8 + 20 + 14); // with the headers of ICMP, IPv4 and Ethernet
  const others = 4096; // address resolution, of IPv6 too
  for (const counted of [eth0?.rx_bytes, eth0?.tx_bytes]) {
    expect(counted).toBeGreaterThanOrEqual(bytes);
    expect(counted).toBeLessThan(bytes + others);
  }
  for (const counted of [eth0?.rx_packets, eth0?.tx_packets]) expect(counted).toBeGreaterThanOrEqual(pings);
  await remove("pinging");
});

test("a block I/O weight is in the group's file, changes live, or is refused by name", async () => {
  const body = { Image: "host", Cmd: ["sleep", "100"], HostConfig: { BlkioWeight: 300 } };
  const created = await ask("POST", "/containers/create?name=weighted", body);
  if (created.status !== 201) {
    expect([created.status, messageOf(created)]).toEqual([501, expect.stringContaining("BFQ")]);
    return;
  }
  await ask("POST", "/containers/weighted/start");
  const { Id } = JSON.parse(created.body) as { Id: string };
  const weight = () =>
    ["/blkio/orlop/ID/blkio.bfq.weight", "/orlop/ID/io.bfq.weight", "/orlop/ID/io.weight"]
      .map((path) => `/sys/fs/cgroup${path.replace("ID", Id)}`)
      .filter((path) => existsSync(path))
      .map((path) => readFileSync(path, "utf8").trim())
      .join();
  expect(weight()).toContain("300");
  expect((await ask("POST", "/containers/weighted/update", { BlkioWeight: 500 })).status).toBe(200);
  expect(weight()).toContain("500");
  await remove("weighted");
});

test("stream: a frame every second, until the container is removed; each goes on where the last one was", async () => {
  await start("streamed", "sleep 100");
  const socket = await open(product());
  let text = "";
  socket.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  const ended = new Promise((resolve) => socket.once("end", resolve));
  socket.write("GET /containers/streamed/stats HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const frames = (): Frame[] =>
    text
      .split("\n")
      .slice(0, -1) // the last one may go on
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line) as Frame);
  await waitUntil(() => frames().length >= 3, 5000, "three frames");
  expect(frames()[1]?.preread).toBe(frames()[0]?.read ?? "");
  expect(frames()[2]?.precpu_stats).toEqual(frames()[1]?.cpu_stats as Frame["precpu_stats"]);
  await remove("streamed");
  await ended;
});

test("a container that does not run has a frame that says nothing", async () => {
  await ask("POST", "/containers/create?name=never", { Image: "host", Cmd: ["true"] });
  expect(await frame("never")).toMatchObject({
    name: "/never",
    read: "0001-01-01T00:00:00Z",
    memory_stats: {},
    pids_stats: {},
  });
  await remove("never");
  const missing = await ask("GET", "/containers/never/stats");
  expect([missing.status, messageOf(missing)]).toEqual([404, "No such container: never"]);
});

testWhere("docker")("docker stats and orlop stats show the same columns", async () => {
  await start("shown", "sleep 100", { Memory: 64 * MiB, NetworkMode: "none" });
  const format = "{{.Name}} {{.CPUPerc}} {{.MemUsage}} {{.NetIO}} {{.PIDs}}";
  const theirs = await docker(product(), ["stats", "--no-stream", "--format", format]);
  expect(theirs.stdout).toMatch(/^shown \d+\.\d\d% [\d.]+[KM]iB \/ 64MiB 0B \/ 0B \d\n$/);
  const ours = JSON.parse(await product().ok("stats", "--no-stream", "--format", "json")) as Record<string, string>;
  expect(ours).toMatchObject({ Name: "shown", NetIO: "0B / 0B" });
  expect(ours["MemUsage"]).toEndWith(" / 64MiB");
  expect(await product().ok("stats", "--no-stream", "shown")).toContain("CONTAINER ID   NAME    CPU %");
  await remove("shown");
});

test("orlop stats goes on until it is ended", async () => {
  await start("watched", "sleep 100");
  const child = Bun.spawn(product().command("stats", "--format", "json", "watched"), { stdout: "pipe" });
  const reader = child.stdout.getReader();
  let text = "";
  while (text.split("\n").length < 3) text += new TextDecoder().decode((await reader.read()).value);
  child.kill();
  await child.exited;
  expect(text.split("\n")[0]).toContain('"Name":"watched"');
  await remove("watched");
});
