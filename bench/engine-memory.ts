/**
 * What the engine holds: beside an empty program of the same Bun, after many starts, with many containers, and once it rests.
 * `bun bench/engine-memory.ts` (root, busybox-static). Prints a row for each.
 *
 * BENCH_STARTS of `--rm` containers; BENCH_IDLE containers without a network; BENCH_NETWORKED of one network (0: none).
 */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeBusyboxRoot } from "../test/busybox-root.ts";
import { Product } from "../test/product.ts";
import { waitUntil } from "../test/wait-until.ts";

const starts = Number(process.env["BENCH_STARTS"] ?? 400);
const idle = Number(process.env["BENCH_IDLE"] ?? 500);
const networked = Number(process.env["BENCH_NETWORKED"] ?? 200);
const clients = 4;
/** It looks every 10 s whether there is something to do. */
const restMs = 60_000;

const directory = mkdtempSync(join(tmpdir(), "orlop-bench-"));
const product = new Product(directory);
const rootfs = makeBusyboxRoot(directory);

/** MiB. own: what no file has. dirty: private and written, by the kernel's account, in which a file that was just built is dirty too. */
function tell(what: string, pid: number): void {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const field = (name: string): number => Number(new RegExp(`^${name}: +(\\d+) kB`, "m").exec(text)?.[1]) / 1024;
  const swap = field("Swap");
  const values = [field("Rss"), field("Pss"), field("Private_Dirty") + swap, field("Anonymous") + swap];
  console.log(`| ${what} | ${values.map((value) => value.toFixed(1)).join(" | ")} |`);
}

/** A server that does nothing, compiled as the engine is. */
async function measureFloor(name: string, source: string): Promise<void> {
  const [script, program, socket] = ["ts", "bin", "sock"].map((end) => join(directory, `floor.${end}`));
  writeFileSync(String(script), source);
  const words = ["build", "--compile", "--minify", "--bytecode", "--format=esm", "--outfile", String(program)];
  if ((await Bun.spawn([process.execPath, ...words, String(script)], { stdout: "ignore" }).exited) !== 0)
    throw new Error("the empty program could not be built");
  const child = Bun.spawn([String(program), String(socket)], { stdout: "pipe" });
  await child.stdout.getReader().read(); // it says that it listens
  await Bun.sleep(2000);
  tell(name, child.pid);
  child.kill();
  await child.exited;
  rmSync(String(socket), { force: true });
}

async function start(name: string, NetworkMode: string): Promise<void> {
  const { containers } = product.engine;
  const { Id } = await containers.create(
    { Cmd: ["sleep", "100000"], HostConfig: { Rootfs: rootfs, NetworkMode } },
    name,
  );
  await containers.start(Id);
}

async function inParallel(count: number, work: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const client = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: clients }, client));
}

function engine(): number {
  return product.enginePid() ?? 0;
}

async function tellAtRest(what: string): Promise<void> {
  tell(what, engine());
  const resident = (): number => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${engine()}/status`, "utf8"))?.[1]);
  const before = resident();
  await waitUntil(() => resident() < before - 8 * 1024, restMs, "the engine rests");
  await Bun.sleep(1000);
  tell(`${what}, at rest`, engine());
}

async function measureMany(count: number, network: string): Promise<void> {
  await inParallel(count, (i) => start(`idle-${network}-${i}`, network));
  await tellAtRest(`engine, ${count} containers just started (${network})`);
  process.kill(engine(), "SIGKILL");
  product.disconnect();
  await product.ok("ps", "-q");
  tell(`the next engine, ${count} containers found`, engine());
  const all = await product.engine.containers.list({ all: true });
  await inParallel(all.length, (i) => product.engine.containers.remove(String(all[i]?.Id), { force: true }));
}

try {
  console.log("| MiB | resident | PSS | private dirty | own |\n|---|---|---|---|---|");
  const said = 'console.log("listening");';
  await measureFloor(
    "an empty program: `Bun.listen` on a unix socket",
    `Bun.listen({ unix: process.argv[2] ?? "", socket: { data() {} } }); ${said}`,
  );
  await measureFloor(
    "an empty program: `node:http` on a unix socket",
    `import { createServer } from "node:http"; createServer().listen(process.argv[2]); ${said}`,
  );
  await product.ok("info");
  void (await product.engine.system.events()); // so that it does not leave
  tell("engine, started for `info`", engine());
  await inParallel(starts, () => product.ok("run", "--rm", "--network", "none", "--rootfs", rootfs, "true"));
  if (starts > 0) await tellAtRest(`engine, after ${starts} × \`run --rm\``);
  if (idle > 0) await measureMany(idle, "none");
  if (networked > 0) await measureMany(networked, "bridge");
} finally {
  await product.stop();
  rmSync(directory, { recursive: true, force: true });
}
