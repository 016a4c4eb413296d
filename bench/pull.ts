/**
 * Pulls a large image from a registry on loopback with Orlop, Docker and Podman in turns, caches dropped before each pull.
 *
 *   bun bench/pull.ts --layers DIR [--rounds 3] [--only REGEXP]
 *
 * DIR has the image's layers, 1.gz to 5.gz: gzip tars, made of Debian packages with mmdebstrap (docs/benchmarks-images.md says how).
 * The first four are the image, the fifth is an update of it. Orlop syncs what it acknowledges; a peer does not, so its time is
 * told twice: alone, and with a sync of its file system behind it.
 */

import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Product } from "../test/product.ts";
import { DockerRegistry } from "../test/registry/docker-registry.ts";
import { waitUntil } from "../test/wait-until.ts";
import { runCommand } from "./case.ts";
import { childrenOf, cpuSecondsOf } from "./processor-time.ts";
import { makePullImage } from "./pull-image.ts";

const { values: options } = parseArgs({
  options: {
    layers: { type: "string" },
    rounds: { type: "string", default: "3" },
    only: { type: "string", default: "" },
  },
});

/** One engine that pulls. */
interface Puller {
  readonly name: string;
  pull(reference: string): Promise<void>;
  /** Nothing of the images is left. */
  clear(): Promise<void>;
  /** Processes whose memory counts. */
  pids(): number[];
  /** Seconds of processor time so far, of ended children too. */
  cpuSeconds(): number;
  /** Its files. */
  readonly folder: string;
  readonly syncs: boolean;
  stop(): Promise<void>;
}

interface Figures {
  seconds: number[];
  syncedSeconds: number[];
  updateSeconds: number[];
  peakBytes: number[];
  cpuSeconds: number[];
}

async function openOrlop(directory: string): Promise<Puller> {
  const folder = join(directory, "orlop");
  mkdirSync(folder);
  const product = new Product(folder);
  await product.ok("info");
  return {
    name: "orlop",
    folder,
    syncs: true,
    pull: async (reference) => void (await product.ok("pull", "-q", reference)),
    clear: async () => void (await product.ok("image", "prune", "-af")),
    pids: () => [product.supervisorPid() ?? 0, ...childrenOf(product.supervisorPid() ?? 0)],
    cpuSeconds: () => cpuSecondsOf([product.enginePid() ?? 0, product.supervisorPid() ?? 0]),
    stop: async () => {
      await product.stop();
    },
  };
}

async function openDocker(directory: string): Promise<Puller> {
  const folder = join(directory, "docker");
  mkdirSync(folder);
  const socket = join(folder, "docker.sock");
  const folders = [
    "--data-root",
    join(folder, "data"),
    "--exec-root",
    join(folder, "exec"),
    "--pidfile",
    join(folder, "pid"),
  ];
  const network = ["--iptables=false", "--ip6tables=false", "--bridge=none"];
  const daemon = spawn("dockerd", [...folders, ...network, "-H", `unix://${socket}`], { stdio: "ignore" });
  const exited = new Promise<void>((resolve) => daemon.once("exit", () => resolve()));
  await waitUntil(() => existsSync(socket), 30_000, "dockerd listens");
  const client = ["/usr/bin/docker", "-H", `unix://${socket}`];
  return {
    name: "docker",
    folder,
    syncs: false,
    pull: async (reference) => void (await runCommand([...client, "pull", "-q", reference], {})),
    clear: async () => void (await runCommand([...client, "image", "prune", "-af"], {})),
    pids: () => [daemon.pid ?? 0, ...childrenOf(daemon.pid ?? 0)],
    cpuSeconds: () => cpuSecondsOf([daemon.pid ?? 0, ...childrenOf(daemon.pid ?? 0)]),
    stop: async () => {
      daemon.kill("SIGTERM");
      await exited;
    },
  };
}

async function openPodman(directory: string): Promise<Puller> {
  const folder = join(directory, "podman");
  mkdirSync(folder);
  const runRoot = mkdtempSync("/run/orlop-bench-"); // podman takes no longer one than 50 characters
  const folders = ["--root", join(folder, "root"), "--runroot", runRoot, "--tmpdir", join(folder, "tmp")];
  const podman = ["podman", ...folders, "--cgroup-manager", "cgroupfs"];
  let running: number | undefined;
  let cpuSeconds = 0;
  return {
    name: "podman",
    folder,
    syncs: false,
    pull: async (reference) => {
      const child = Bun.spawn([...podman, "pull", "-q", "--tls-verify=false", reference], {
        stdout: "ignore",
        stderr: "inherit",
      });
      running = child.pid;
      const exitCode = await child.exited;
      running = undefined;
      const used = child.resourceUsage()?.cpuTime.total ?? 0;
      cpuSeconds += Number(used) / 1e6;
      if (exitCode !== 0) throw new Error(`podman pull: ${exitCode}`);
    },
    clear: async () => void (await runCommand([...podman, "rmi", "-af"], {})),
    cpuSeconds: () => cpuSeconds,
    pids: () => (running === undefined ? [] : [running, ...childrenOf(running)]),
    stop: async () => rmSync(runRoot, { recursive: true, force: true }),
  };
}

/** Resident memory of all, shared pages counted once where the kernel says so. */
function memoryOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    try {
      return sum + Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1] ?? 0) * 1024;
    } catch {
      return sum; // it has ended
    }
  }, 0);
}

async function dropCaches(): Promise<void> {
  await runCommand(["sync"], {});
  writeFileSync("/proc/sys/vm/drop_caches", "3");
}

async function timed(work: () => Promise<void>): Promise<number> {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
}

/** One pull from nothing, with its memory watched; then the update. */
async function measure(puller: Puller, image: string, figures: Figures): Promise<void> {
  await puller.clear();
  await dropCaches();
  const cpuBefore = puller.cpuSeconds();
  let peak = 0;
  const watch = setInterval(() => {
    peak = Math.max(peak, memoryOf(puller.pids()));
  }, 100);
  const seconds = await timed(() => puller.pull(`${image}:base`));
  clearInterval(watch);
  figures.cpuSeconds.push(puller.cpuSeconds() - cpuBefore);
  const synced = puller.syncs ? 0 : await timed(async () => void (await runCommand(["sync", "-f", puller.folder], {})));
  figures.seconds.push(seconds);
  figures.syncedSeconds.push(seconds + synced);
  figures.peakBytes.push(peak);
  await dropCaches();
  figures.updateSeconds.push(await timed(() => puller.pull(`${image}:update`)));
}

/** The slowest hundredth of `_ping`s while an image is pulled. */
async function pingDuring(directory: string, image: string): Promise<number> {
  const folder = join(directory, "ping");
  mkdirSync(folder);
  const product = new Product(folder);
  try {
    await product.ok("info");
    const client = product.connect();
    const taken: number[] = [];
    let isOver = false;
    const pulling = product.ok("pull", "-q", `${image}:base`).finally(() => {
      isOver = true;
    });
    while (!isOver) {
      taken.push((await timed(() => client.system.ping())) * 1000);
      await Bun.sleep(5);
    }
    await pulling;
    client.close();
    return taken.sort((a, b) => a - b)[Math.floor(taken.length * 0.99)] ?? Number.NaN;
  } finally {
    await product.stop();
  }
}

/** Milliseconds that the list of 500 images takes. */
async function listOf500(directory: string): Promise<number> {
  const { ScriptedRegistry } = await import("../test/registry/scripted-registry.ts");
  const folder = join(directory, "list");
  mkdirSync(folder);
  const product = new Product(folder);
  const registry = await ScriptedRegistry.open();
  try {
    for (let i = 0; i < 500; i++) registry.addImage(`t${i}`, [], { Labels: { number: String(i) }, Cmd: ["true"] });
    await product.ok("info");
    const client = product.connect();
    const names = Array.from({ length: 500 }, (_, i) => `${registry.host}/many:t${i}`);
    while (names.length > 0)
      await Promise.all(
        names.splice(0, 20).map(async (name) => {
          for await (const _ of client.images.pull(name, {}));
        }),
      );
    const taken: number[] = [];
    for (let i = 0; i < 20; i++) taken.push((await timed(async () => void (await product.ok("images", "-q")))) * 1000);
    client.close();
    return median(taken);
  } finally {
    await product.stop();
    await registry[Symbol.asyncDispose]();
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

if (options.layers === undefined) throw new Error("--layers DIR is needed");
const directory = mkdtempSync(join(tmpdir(), "orlop-bench-pull-"));
const registry = await DockerRegistry.open();
const pullers: Puller[] = [];
try {
  const layout = join(directory, "layout");
  await makePullImage(options.layers, layout);
  const image = `${registry.host}/bench`;
  for (const tag of ["base", "update"])
    await runCommand(
      ["skopeo", "copy", "-q", "--dest-tls-verify=false", `oci:${layout}:${tag}`, `docker://${image}:${tag}`],
      {},
    );
  rmSync(layout, { recursive: true });
  const wanted = new RegExp(options.only);
  for (const [name, open] of [
    ["orlop", openOrlop],
    ["docker", openDocker],
    ["podman", openPodman],
  ] as const)
    if (wanted.test(name)) pullers.push(await open(directory));
  const all = new Map<string, Figures>();
  for (let round = 0; round < Number(options.rounds); round++)
    for (const puller of pullers) {
      const figures = all.get(puller.name) ?? {
        seconds: [],
        syncedSeconds: [],
        updateSeconds: [],
        peakBytes: [],
        cpuSeconds: [],
      };
      all.set(puller.name, figures);
      await measure(puller, image, figures);
      console.log(puller.name, JSON.stringify(figures));
    }
  console.log(
    "\n| | pull, s | with a sync behind it, s | processor, s | 1 % update, s | peak memory, MB |\n|---|---|---|---|---|---|",
  );
  for (const [name, { seconds, syncedSeconds, cpuSeconds, updateSeconds, peakBytes }] of all)
    console.log(
      `| ${name} | ${median(seconds).toFixed(1)} | ${median(syncedSeconds).toFixed(1)} | ${median(cpuSeconds).toFixed(1)} | ${median(updateSeconds).toFixed(2)} | ${Math.round(Math.max(...peakBytes) / 1e6)} |`,
    );
  if (wanted.test("orlop")) {
    console.log(`\n_ping during a pull, p99: ${(await pingDuring(directory, image)).toFixed(1)} ms`);
    console.log(`orlop images -q of 500 images: ${(await listOf500(directory)).toFixed(1)} ms`);
  }
} finally {
  for (const puller of pullers) await puller.stop();
  await registry[Symbol.asyncDispose]();
  await runCommand(["sh", "-c", `grep -o ' ${directory}[^ ]*' /proc/self/mounts | sort -r | xargs -r umount -l`], {});
  rmSync(directory, { recursive: true, force: true });
}
