/**
 * Measures commit, and save into load, of Orlop and of Docker 20.10, in turns, with the same client.
 *
 *   bun bench/archives.ts [--rounds 5] [--tree /usr/share] [--files 10]
 *
 * The image is one layer with a tree of this machine. Each engine loads into a second one of its kind, which forgets the image
 * between rounds, and into itself. Caches are warm, and nothing is dirty when a measurement begins: an engine that syncs would
 * pay for what the other one left to write. Docker syncs nothing, so its time is told twice: alone, and with a sync behind it.
 * Processor time is that of the engines, without the client's.
 */

import { mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Dockerd } from "../test/dockerd.ts";
import { Product } from "../test/product.ts";
import { runCommand } from "./case.ts";
import { describeMachine } from "./machine.ts";
import { childrenOf, cpuSecondsOf } from "./processor-time.ts";
import { figuresOf } from "./statistics.ts";

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    tree: { type: "string", default: "/usr/share" },
    files: { type: "string", default: "10" },
    only: { type: "string", default: "" },
  },
});

interface Engine {
  readonly name: string;
  /** Whose processor time counts, and that of their ended children. */
  readonly pids: () => readonly number[];
  readonly from: string;
  readonly to: string;
}

const directory = mkdtempSync(join(tmpdir(), "orlop-bench-"));
const products = ["a", "b"].map((name) => new Product(join(directory, name)));
const daemons: Dockerd[] = [];
const times = new Map<string, { ms: number[]; syncedMs: number[]; cpuMs: number[] }>();

try {
  const machine = describeMachine();
  for (const product of products) await product.ok("info");
  for (const name of ["c", "d"]) daemons.push(await Dockerd.start(join(directory, name)));
  const archive = join(directory, "base.tar");
  const tree = options.tree.slice(1);
  await runCommand(["tar", "-C", "/", "-cf", archive, "bin/busybox", tree], {});
  const hosts = [...products.map(({ dockerHost }) => dockerHost), ...daemons.map(({ host }) => host)] as const;
  const ofProducts = () => products.flatMap((product) => [product.supervisorPid() ?? 0, product.enginePid() ?? 0]);
  const ofDaemons = () => daemons.flatMap(({ pid }) => [pid, ...childrenOf(pid)]);
  const engines: readonly Engine[] = [
    { name: "orlop", from: hosts[0] ?? "", to: hosts[1] ?? "", pids: ofProducts },
    { name: "docker", from: hosts[2] ?? "", to: hosts[3] ?? "", pids: ofDaemons },
  ].filter(({ name }) => new RegExp(options.only).test(name));
  for (const { from } of engines) await docker(from, "import", archive, "base");
  console.log(`${machine}\n${(statSync(archive).size / 1e6).toFixed(0)} MB in one layer`);
  const files = `find /${tree} -type f | head -${options.files} | while read f; do echo changed >>"$f"; done; echo ready; sleep 10000`;
  for (const { from } of engines) {
    await docker(
      from,
      "run",
      "-d",
      "--name",
      "work",
      "--network",
      "none",
      "base",
      "/bin/busybox",
      "sh",
      "-c",
      `PATH=/; busybox() { /bin/busybox "$@"; }; find() { busybox find "$@"; }; head() { busybox head "$@"; }; sleep() { busybox sleep "$@"; }; ${files}`,
    );
    while (!(await docker(from, "logs", "work")).includes("ready")) await Bun.sleep(50);
  }
  for (let round = 0; round < Number(options.rounds); round++)
    for (const engine of engines) {
      const { from, to } = engine;
      await timed(engine, `commit of ${options.files} files`, () => docker(from, "commit", "work", `made:${round}`));
      await timed(engine, "save | load, into an empty store", () => pipe(from, to));
      await timed(engine, "save | load, into the store that has it", () => pipe(from, from));
      await docker(to, "rmi", "base");
    }
  console.log("\n| | ms | with a sync behind it | processor, ms |\n|---|---|---|---|");
  for (const [what, { ms, syncedMs, cpuMs }] of times)
    console.log(`| ${what} | ${[ms, syncedMs, cpuMs].map((all) => figuresOf(all).median.toFixed(0)).join(" | ")} |`);
} finally {
  for (const product of products) await product.stop();
  for (const daemon of daemons) {
    await daemon.run(["rm", "-f", "work"]);
    await daemon[Symbol.asyncDispose]();
  }
  for (const name of ["c", "d"]) Bun.spawnSync(["umount", join(directory, name, "data")], { stderr: "ignore" });
  rmSync(directory, { recursive: true, force: true });
}

async function timed({ name, pids }: Engine, what: string, run: () => Promise<unknown>): Promise<void> {
  await runCommand(["sync", "-f", directory], {});
  const cpuBefore = cpuSecondsOf(pids());
  const began = performance.now();
  await run();
  const tookMs = performance.now() - began;
  await runCommand(["sync", "-f", directory], {});
  const syncedMs = performance.now() - began;
  const cpuMs = (cpuSecondsOf(pids()) - cpuBefore) * 1000;
  console.log(`${name} ${what}: ${tookMs.toFixed(0)} ms, synced ${syncedMs.toFixed(0)}, processor ${cpuMs.toFixed(0)}`);
  const all = times.get(`${name} ${what}`) ?? { ms: [], syncedMs: [], cpuMs: [] };
  times.set(`${name} ${what}`, all);
  all.ms.push(tookMs);
  all.syncedMs.push(syncedMs);
  all.cpuMs.push(cpuMs);
}

async function docker(host: string, ...words: string[]): Promise<string> {
  mkdirSync(join(directory, "config"), { recursive: true });
  const child = Bun.spawn(["docker", ...words], {
    env: { ...process.env, DOCKER_HOST: host, DOCKER_CONFIG: join(directory, "config") },
    stdout: "pipe",
    stderr: "pipe",
  });
  const [said, complained] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  if ((await child.exited) !== 0) throw new Error(`docker ${words.slice(0, 3).join(" ")}: ${complained}`);
  return said;
}

async function pipe(from: string, to: string): Promise<void> {
  const script = 'docker -H "$1" save base | docker -H "$2" load';
  await runCommand(["sh", "-c", script, "sh", from, to], { DOCKER_CONFIG: join(directory, "config") });
}
