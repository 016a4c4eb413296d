/**
 * Whole commands, from before the process's start to after its end: Orlop's, run in the engine for the launcher and in a
 * process of their own, and Docker's, in turns: `bun bench/commands.ts` (root; docker.io where Docker shall be measured).
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Dockerd } from "../test/dockerd.ts";
import { Product } from "../test/product.ts";
import { makeBundle } from "./bundle.ts";
import { type Case, commandCase } from "./case.ts";
import { measureInTurns } from "./measure.ts";
import { makeRunDirectory } from "./run-directory.ts";
import { figuresOf } from "./statistics.ts";

const rounds = Number(process.env["BENCH_ROUNDS"] ?? 40);
const pauseMs = 30;
/** What each of them can do. */
const commands = {
  ps: ["ps"],
  exec: ["exec", "idle", "true"],
  run: ["run", "--rm", "--network", "none"],
} as const;
type Command = keyof typeof commands;
const names = Object.keys(commands) as Command[];

const directory = mkdtempSync(join(tmpdir(), "orlop-bench-"));
using run = makeRunDirectory();
const product = new Product(directory, { runDir: run.path });
const { archive } = makeBundle(join(directory, "bundle"));

const idle = ["run", "-d", "--name", "idle", "--network", "none"];

async function openOrlop(): Promise<Case[]> {
  await product.ok(...idle, "host", "sleep", "100000");
  const words = (name: Command) => product.command(...commands[name], ...(name === "run" ? ["host", "true"] : []));
  return names.flatMap((name) => [
    commandCase(`orlop ${name}`, words(name)),
    commandCase(`orlop ${name}, own process`, words(name), { ORLOP_OWN_PROCESS: "1" }),
  ]);
}

async function openDocker(daemon: Dockerd): Promise<Case[]> {
  await daemon.ok("import", archive, "bench");
  await daemon.ok(...idle, "bench", "sleep", "100000");
  return names.map((name) =>
    commandCase(`docker ${name}`, ["docker", ...commands[name], ...(name === "run" ? ["bench", "true"] : [])], {
      DOCKER_HOST: daemon.host,
    }),
  );
}

const dockerd = Bun.which("dockerd") === null ? undefined : await Dockerd.start(join(directory, "dockerd"));
try {
  const cases = [...(await openOrlop()), ...(dockerd === undefined ? [] : await openDocker(dockerd))];
  const tight = await measureInTurns(cases, rounds, 0);
  const paused = await measureInTurns(cases, rounds, pauseMs);
  console.log("| command, ms | median | min | with pauses: median | min |\n|---|---|---|---|---|");
  for (const { name } of cases.toSorted((a, b) => commandOf(a).localeCompare(commandOf(b)))) {
    const cells = [tight, paused].flatMap((times) => {
      const { median, min } = figuresOf(times.get(name) ?? []);
      return [median.toFixed(1), min.toFixed(1)];
    });
    console.log(`| ${name} | ${cells.join(" | ")} |`);
  }
} finally {
  if (dockerd !== undefined) {
    await dockerd.run(["rm", "-f", "idle"]);
    await dockerd[Symbol.asyncDispose]();
  }
  await product.stop();
  rmSync(directory, { recursive: true, force: true });
}

function commandOf({ name }: Case): string {
  return name.split(" ")[1] ?? "";
}
