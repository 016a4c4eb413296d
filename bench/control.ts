/**
 * Logs and bursts, Orlop and Docker in turns on the same machine, both through their API with the same client:
 * `bun bench/control.ts` (root, docker.io, busybox-static). Prints one line for each figure.
 */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ContainerCreate } from "../src/client/container-types.ts";
import { EngineClient } from "../src/client/engine-client.ts";
import { makeBusyboxRoot } from "../test/busybox-root.ts";
import { Dockerd } from "../test/dockerd.ts";
import { Product } from "../test/product.ts";
import { makeRunDirectory } from "./run-directory.ts";
import { figuresOf } from "./statistics.ts";

const lines = Number(process.env["BENCH_LINES"] ?? 1_000_000);
const lineBytes = 100;
const rounds = Number(process.env["BENCH_ROUNDS"] ?? 3);
/** Containers of a burst, and how many clients make them. */
const burst = { count: 40, clients: 8 };
/** Both are warm when it is measured: caches, compilers. */
const warmUpMs = 2000;

interface Contestant {
  readonly name: string;
  readonly engine: EngineClient;
  /** What every container of it has. */
  readonly base: ContainerCreate;
}

const directory = mkdtempSync(join(tmpdir(), "orlop-bench-"));
const rootfs = makeBusyboxRoot(directory);
writeFileSync(join(rootfs, "lines"), `${"x".repeat(lineBytes - 1)}\n`.repeat(lines));
mkdirSync(join(directory, "orlop"));
using run = makeRunDirectory();
const product = new Product(join(directory, "orlop"), { runDir: run.path });
await product.ok("ps");
const dockerd = await Dockerd.start(join(directory, "dockerd"));
/** The image of both. */
const archive = new Uint8Array(Bun.spawnSync(["tar", "-C", rootfs, "-c", "."]).stdout);
await dockerd.run(["import", "-", "bench:latest"], { stdin: archive });
await importImage(product.engine);

/** Docker's are unlimited unless asked, and it has no word for it. */
const unlimited = { Type: "json-file", Config: { "max-size": "-1" } };
const contestants: readonly Contestant[] = [
  {
    name: "docker",
    engine: new EngineClient({ address: { kind: "unix", path: join(directory, "dockerd/docker.sock") } }),
    base: { Image: "bench", HostConfig: { NetworkMode: "none" } },
  },
  {
    name: "orlop",
    engine: product.engine,
    base: { Image: "bench", HostConfig: { NetworkMode: "none", LogConfig: unlimited } },
  },
];

async function importImage({ images }: EngineClient): Promise<void> {
  async function* once(): AsyncGenerator<Uint8Array> {
    yield archive;
  }
  for await (const { error } of images.import(once(), { repo: "bench", tag: "latest", changes: [] }))
    if (error !== undefined) throw new Error(error);
}

const figures = new Map<string, number[]>();
function note(figure: string, value: number): void {
  figures.set(figure, [...(figures.get(figure) ?? []), value]);
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begunMs = performance.now();
  await work();
  return performance.now() - begunMs;
}

/** Megabytes of text in a second. */
const rate = (ms: number): number => (lines * lineBytes) / 1e6 / (ms / 1000);

async function measureLogs({ name, engine, base }: Contestant): Promise<void> {
  const { containers } = engine;
  const { Id } = await containers.create({ ...base, Cmd: ["cat", "/lines"] });
  const wait = await containers.wait(Id, "next-exit");
  note(`${name}: log written, MB/s`, rate(await timed(() => containers.start(Id).then(wait.exit))));
  const read = async (tail: string): Promise<number> => {
    let bytes = 0;
    for await (const chunk of await containers.logs(Id, { stdout: true, stderr: true, tail })) bytes += chunk.length;
    return bytes;
  };
  note(`${name}: log read, MB/s`, rate(await timed(() => read("all"))));
  note(`${name}: last 100 lines, ms`, await timed(() => read("100")));
  await containers.remove(Id);
}

/** Containers of so many clients at once, one after the other's end each, as long as `goesOn`. */
async function live({ engine, base }: Contestant, goesOn: () => boolean): Promise<void> {
  const { containers } = engine;
  const client = async (): Promise<void> => {
    while (goesOn()) {
      const { Id } = await containers.create({ ...base, Cmd: ["true"] });
      const wait = await containers.wait(Id, "next-exit");
      await containers.start(Id);
      await wait.exit();
      await containers.remove(Id);
    }
  };
  await Promise.all(Array.from({ length: burst.clients }, client));
}

async function measureBurst(one: Contestant): Promise<void> {
  let left = burst.count;
  const ms = await timed(() => live(one, () => left-- > 0));
  note(`${one.name}: containers a second, ${burst.clients} clients`, burst.count / (ms / 1000));
}

try {
  for (const one of contestants) {
    const warm = performance.now() + warmUpMs;
    await live(one, () => performance.now() < warm);
  }
  for (let round = 0; round < rounds; round++)
    for (const one of contestants) {
      await measureBurst(one);
      await measureLogs(one);
    }
  for (const [figure, values] of [...figures].sort(
    ([a], [b]) => a.split(": ")[1]?.localeCompare(b.split(": ")[1] ?? "") ?? 0,
  ))
    console.log(`${figure.padEnd(44)} ${figuresOf(values).median.toFixed(1)}`);
} finally {
  contestants[0]?.engine.close();
  await product.stop();
  await dockerd[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
}
