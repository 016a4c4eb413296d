/**
 * Containers that run: `exec` beside docker's, the last lines of a long log, and many idle ones. `bun bench/containers.ts`
 * (root, busybox-static; docker.io for the comparison). Prints one line for each figure.
 *
 * BENCH_DIRECTORY: where everything lies, the log too (a disk with room for BENCH_LOG_MB twice); BENCH_ROUNDS of exec;
 * BENCH_LOG_MB of log; BENCH_IDLE containers.
 */

import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeBusyboxRoot } from "../test/busybox-root.ts";
import { Dockerd } from "../test/dockerd.ts";
import { Product } from "../test/product.ts";
import { waitUntil } from "../test/wait-until.ts";
import { type Case, commandCase } from "./case.ts";
import { makeRunDirectory } from "./run-directory.ts";
import { figuresOf } from "./statistics.ts";

const rounds = Number(process.env["BENCH_ROUNDS"] ?? 30);
const logMb = Number(process.env["BENCH_LOG_MB"] ?? 1000);
const idle = Number(process.env["BENCH_IDLE"] ?? 500);
const parent = process.env["BENCH_DIRECTORY"] ?? tmpdir();
const lineBytes = 100;
const longMs = 600_000;

mkdirSync(parent, { recursive: true });
const directory = mkdtempSync(join(parent, "orlop-bench-"));
using run = makeRunDirectory();
const product = new Product(directory, { runDir: run.path });
const Rootfs = makeBusyboxRoot(directory);
await product.ok("ps");

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begunMs = performance.now();
  await work();
  return performance.now() - begunMs;
}

function tell(figure: string, values: readonly number[], unit: string): void {
  const { median, p99 } = figuresOf(values);
  console.log(`${figure.padEnd(44)} median ${median.toFixed(1)} ${unit}, p99 ${p99.toFixed(1)} ${unit}`);
}

/** A container that waits, and whole commands in it, in turns. */
async function measureExec(): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const { containers } = product.engine;
  const { Id } = await containers.create(
    { Cmd: ["sleep", "100000"], HostConfig: { Rootfs, NetworkMode: "none" } },
    "box",
  );
  await containers.start(Id);
  stack.defer(() => containers.remove(Id, { force: true }));
  const cases: Case[] = [commandCase("orlop exec true", product.command("exec", "box", "true"))];
  if (Bun.which("docker") !== null)
    cases.push(
      commandCase("docker exec true, on orlop", ["docker", "exec", "box", "true"], { DOCKER_HOST: product.dockerHost }),
    );
  if (existsSync("/usr/sbin/dockerd")) {
    const dockerd = stack.use(await Dockerd.start(join(directory, "dockerd")));
    const archive = Bun.spawnSync(["tar", "-C", Rootfs, "-c", "."]).stdout;
    await dockerd.run(["import", "-", "bench:latest"], { stdin: new Uint8Array(archive) });
    await dockerd.ok("run", "-d", "--name", "box", "--network", "none", "bench", "sleep", "100000");
    stack.defer(async () => void (await dockerd.run(["rm", "-f", "box"])));
    cases.push(
      commandCase("docker exec true, on dockerd", ["docker", "exec", "box", "true"], { DOCKER_HOST: dockerd.host }),
    );
  }
  const times = cases.map((): number[] => []);
  for (const { run } of cases) await run(); // what is read from the disk once
  for (let round = 0; round < rounds; round++)
    for (const [at, { run }] of cases.entries()) times[at]?.push(await timed(run));
  for (const [at, { name }] of cases.entries()) tell(name, times[at] ?? [], "ms");
}

/** In one file, unlimited: the longest way to its end. */
async function measureTail(): Promise<void> {
  const { containers } = product.engine;
  const lines = Math.ceil((logMb * 1e6) / lineBytes);
  writeFileSync(join(Rootfs, "block"), `${"x".repeat(lineBytes - 1)}\n`.repeat(100_000));
  const script = `i=0; while [ $i -lt ${Math.ceil(lines / 100_000)} ]; do cat /block; i=$((i + 1)); done`;
  const LogConfig = { Type: "json-file", Config: { "max-size": "-1" } };
  const { Id } = await containers.create({
    Cmd: ["sh", "-c", script],
    HostConfig: { Rootfs, NetworkMode: "none", LogConfig },
  });
  const wait = await containers.wait(Id, "next-exit");
  await containers.start(Id);
  await wait.exit();
  const { LogPath } = (await containers.inspect(Id)) as unknown as { LogPath: string };
  const sizeMb = Bun.file(LogPath).size / 1e6;
  const read = async (): Promise<void> => {
    let bytes = 0;
    for await (const chunk of await containers.logs(Id, { stdout: true, stderr: true, tail: "100" }))
      bytes += chunk.length;
    if (bytes !== 100 * (lineBytes + 8)) throw new Error(`100 lines have ${bytes} bytes`);
  };
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) times.push(await timed(read));
  tell(`logs --tail 100 of ${sizeMb.toFixed(0)} MB`, times, "ms");
  await containers.remove(Id);
}

async function measureIdle(): Promise<void> {
  const { engine } = product;
  const names = Array.from({ length: idle }, (_, i) => `idle-${i}`);
  const queue = [...names];
  const client = async (): Promise<void> => {
    for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
      const { Id } = await engine.containers.create(
        { Cmd: ["sleep", "100000"], HostConfig: { Rootfs, NetworkMode: "none" } },
        name,
      );
      await engine.containers.start(Id);
    }
  };
  await Promise.all([client(), client(), client(), client()]);
  const times: number[] = [];
  for (let i = 0; i < 200; i++) times.push(await timed(() => engine.containers.list()));
  tell(`list of ${idle} idle containers`, times, "ms");
  const pid = product.enginePid() ?? 0;
  const resident = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  console.log(
    `${`engine with ${idle} idle containers`.padEnd(44)} ${(Number(resident) / 1024).toFixed(0)} MiB resident`,
  );
  const back = async (): Promise<boolean> => {
    const all = await product
      .connect()
      .containers.list()
      .catch(() => []); // nobody listens yet
    return all.length === idle;
  };
  process.kill(pid, "SIGKILL");
  const backMs = await timed(() => waitUntil(back, longMs, "all are there"));
  console.log(`${"until all are there after kill -9".padEnd(44)} ${backMs.toFixed(0)} ms`);
}

try {
  if (rounds > 0) await measureExec();
  if (logMb > 0) await measureTail();
  if (idle > 0) await measureIdle();
} finally {
  await product.stop();
  const mounts = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  const below = mounts.map((line) => line.split(" ")[4] ?? "").filter((path) => path.startsWith(`${directory}/`));
  for (const mount of below.toReversed()) Bun.spawnSync(["umount", "-l", mount]);
  rmSync(directory, { recursive: true, force: true });
}
