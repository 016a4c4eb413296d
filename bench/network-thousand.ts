/** A thousand containers in one network, all of them running: what a start takes among few, and among all. */

import { readFileSync } from "node:fs";
import type { Bench } from "./network.ts";
import { figuresOf } from "./statistics.ts";

/** Starts at the beginning, and so many at the end, whose middle is compared. */
const sample = 20;
/** As many clients take them away again. */
const clients = 4;

export async function measureThousand({ product, rootfs, row }: Bench, count: number): Promise<void> {
  const { engine } = product;
  await engine.networks.create({ Name: "many" });
  const HostConfig = { Rootfs: rootfs, NetworkMode: "many" };
  const ids: string[] = [];
  const times: number[] = [];
  const startOne = async (): Promise<number> => {
    const begun = performance.now();
    const { Id } = await engine.containers.create({ Cmd: ["/bin/sleep", "100000"], HostConfig });
    await engine.containers.start(Id);
    ids.push(Id);
    return performance.now() - begun;
  };
  await startOne(); // makes the bridge
  for (let index = 0; index < count - 1; index++) times.push(await startOne());
  const first = figuresOf(times.slice(0, sample)).median;
  const last = figuresOf(times.slice(-sample)).median;
  const all = figuresOf(times);
  const name = count.toLocaleString("en");
  row(`create and start, the first ${sample}`, `${first.toFixed(1)} ms`);
  row(`create and start, the last ${sample} of ${name}`, `${last.toFixed(1)} ms, ${(last / first).toFixed(2)} ×`);
  row(`p50 of all ${name}`, `${all.median.toFixed(1)} ms, ${(all.median / first).toFixed(2)} ×`, "≤ 1.5 ×");
  row(`engine with ${name} running`, `${residentMib(product.enginePid())} MiB`);
  const begun = performance.now();
  await Promise.all(
    Array.from({ length: clients }, async () => {
      for (let id = ids.pop(); id !== undefined; id = ids.pop()) await engine.containers.remove(id, { force: true });
    }),
  );
  row(`removing all ${name}`, `${((performance.now() - begun) / 1000).toFixed(1)} s`);
  await engine.networks.remove("many");
}

function residentMib(pid: number | undefined): string {
  const kib = Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
  return (kib / 1024).toFixed(0);
}
