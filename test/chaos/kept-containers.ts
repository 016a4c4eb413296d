/**
 * Containers that are started, stopped and looked at again and again: one that runs goes on whatever is killed but its monitor,
 * and says so; what it wrote and what was copied into it stays; an acknowledged change of its limits holds.
 */

import type { ContainerInspection } from "../../src/client/container-types.ts";
import type { EngineClient } from "../../src/client/engine-client.ts";
import { AttachFrameDecoder } from "../../src/spec/attach-frame.ts";
import { containersNamed, isStatus, type Kind, type World } from "./kind.ts";
import { Violation } from "./model.ts";

/** What it runs, and the exit code with which it ends by itself. */
const scripts = [
  { script: "exit 3", exitCode: 3 },
  { script: "echo 0; sleep 0.2; exit 3", exitCode: 3 },
  { script: "i=0; while :; do echo $i; i=$((i+1)); sleep 0.05; done", exitCode: undefined },
  { script: "sleep 1000; exit 4", exitCode: undefined },
] as const;

const KILLED = 137;
/** What is said of a container whose monitor was killed, which may happen to each. */
const monitorLost = /monitor was lost/;

export type State = ContainerInspection["State"] & { readonly StartedAt: string; readonly Error: string };

/** undefined: a request for something else was lost, and the next look tells. "rests": it was stopped, if a start that was lost had begun. */
export type Known =
  | { readonly kind: "never" | "started" | "rests" }
  | { readonly kind: "runs"; readonly startedAt: string; readonly pid: number }
  | { readonly kind: "ended"; readonly exitCode?: number };

/** What its only client knows of one. */
class Kept {
  known: Known | undefined = { kind: "never" };
  mayBePaused = false;
  lines = 0;
  pidsLimit: number | undefined;
  readonly files = new Set<string>();
}

const all = new Map<string, Kept>();

function keptOf(name: string): Kept {
  const kept = all.get(name);
  if (kept !== undefined) return kept;
  const made = new Kept();
  all.set(name, made);
  return made;
}

/** Until it is answered, nobody knows. */
async function changing(name: string, after: Known, request: () => Promise<unknown>): Promise<void> {
  const kept = keptOf(name);
  const before = kept.known;
  kept.known = undefined;
  try {
    await request();
  } catch (error) {
    if (isStatus(error, 404, 409)) kept.known = before;
    throw error;
  }
  if (after.kind !== "ended") kept.known = after;
  else if (before === undefined) kept.known = { kind: "rests" };
  else if (before.kind !== "never" && before.kind !== "rests") kept.known = after;
  else kept.known = before;
}

export const keptContainers: Kind = {
  make: async ({ engine, random, rootfs }, name) => {
    const { script } = random.pick(scripts);
    const HostConfig = { Rootfs: rootfs, NetworkMode: "none" };
    await engine.containers.create({ Cmd: ["/bin/sh", "-c", script], StopTimeout: 0, HostConfig }, name);
    all.delete(name);
  },
  remove: async ({ engine }, name) => {
    const kept = keptOf(name);
    if (kept.known?.kind !== "never") kept.known = undefined; // one that is cut off may have ended it
    await engine.containers.remove(name, { force: true });
    all.delete(name);
  },
  uses: [
    { ask: start, refusals: [] },
    { ask: start, refusals: [] },
    { ask: stop, refusals: [] },
    { ask: kill, refusals: [409] },
    { ask: look, refusals: [] },
    { ask: look, refusals: [] },
    { ask: pauseAWhile, refusals: [409] },
    { ask: readLog, refusals: [] },
    { ask: copyIn, refusals: [409] },
    { ask: copyOut, refusals: [409] },
    { ask: limit, refusals: [] },
  ],
  check: async (world, name) => {
    for (const one of [look, readLog, copyOut]) await one(world, name);
  },
  list: async (engine) => (await containersNamed(engine, "chaos-")).map((name) => `chaos-${name}`),
};

/** One that stands still since a lost request goes on first. */
async function start({ engine }: World, name: string): Promise<void> {
  const kept = keptOf(name);
  if (kept.mayBePaused) await unpause(engine, name);
  if (kept.known?.kind !== "runs") return changing(name, { kind: "started" }, () => engine.containers.start(name));
  const before = kept.known;
  await engine.containers.start(name);
  // It may have been lost meanwhile, and be another run now; else it is this one still.
  const { startedAt } = before;
  kept.known = { kind: "started" };
  const { StartedAt } = await stateOf(engine, name);
  if (StartedAt === startedAt) kept.known = before;
}

function stop({ engine }: World, name: string): Promise<void> {
  return changing(name, { kind: "ended" }, () => engine.containers.stop(name, 0));
}

function kill({ engine }: World, name: string): Promise<void> {
  return changing(name, { kind: "ended" }, () => engine.containers.kill(name));
}

async function unpause(engine: EngineClient, name: string): Promise<void> {
  await engine.containers.unpause(name).catch((error: unknown) => {
    if (!isStatus(error, 409)) throw error;
  });
  keptOf(name).mayBePaused = false;
}

async function pauseAWhile({ engine }: World, name: string): Promise<void> {
  keptOf(name).mayBePaused = true;
  await engine.containers.pause(name);
  const { Status } = await stateOf(engine, name);
  if (Status !== "paused" && Status !== "exited") throw new Violation(`${name} was paused, and is ${Status}`);
  await unpause(engine, name);
}

async function stateOf(engine: EngineClient, name: string): Promise<State> {
  return (await engine.containers.inspect(name)).State as State;
}

/** Is it as it was told to be? */
async function look({ engine }: World, name: string): Promise<void> {
  const kept = keptOf(name);
  const inspection = await engine.containers.inspect(name);
  const state = inspection.State as State;
  const { PidsLimit } = inspection.HostConfig as { readonly PidsLimit?: number };
  if (kept.pidsLimit !== undefined && PidsLimit !== kept.pidsLimit)
    throw new Violation(`${name} was limited to ${kept.pidsLimit} processes, and has ${PidsLimit}`);
  const script = (inspection.Config as { readonly Cmd?: readonly string[] }).Cmd?.[2];
  const own = scripts.find((one) => one.script === script)?.exitCode;
  const wrong = whatIsWrong(kept.known, state, own, kept.mayBePaused);
  if (wrong !== undefined)
    throw new Violation(`${name} (${script}) ${wrong}: ${JSON.stringify(state)}, known: ${JSON.stringify(kept.known)}`);
  kept.known = knownOf(state);
}

function knownOf({ Status, StartedAt, Pid, ExitCode }: State): Known {
  if (Status === "created") return { kind: "never" };
  return Status === "exited" ? { kind: "ended", exitCode: ExitCode } : { kind: "runs", startedAt: StartedAt, pid: Pid };
}

/** @param own the exit code with which it ends by itself; undefined: it does not */
export function whatIsWrong(known: Known | undefined, state: State, own: number | undefined, mayBePaused: boolean) {
  const { Status, ExitCode, Error: why, StartedAt, Pid } = state;
  const runs = Status === "running" || (mayBePaused && Status === "paused");
  const isLost = Status === "exited" && ExitCode === KILLED && monitorLost.test(why);
  if (!["created", "exited", "running", ...(mayBePaused ? ["paused"] : [])].includes(Status))
    return "is in no such state";
  if (runs && Pid === 0) return "runs without a process";
  if (known === undefined) return undefined;
  if (known.kind === "never") return Status === "created" ? undefined : "was never started";
  if (known.kind === "rests" && Status === "created") return undefined;
  if (known.kind === "ended" || known.kind === "rests") {
    if (Status !== "exited") return "had ended";
    if ("exitCode" in known && known.exitCode !== undefined && known.exitCode !== ExitCode)
      return "had ended otherwise";
    return ExitCode === own || ExitCode === KILLED ? undefined : "has an exit code that nobody gave";
  }
  if (known.kind === "runs" && runs && (known.startedAt !== StartedAt || known.pid !== Pid)) return "is another run";
  if (runs || isLost || (Status === "exited" && ExitCode === own)) return undefined;
  return known.kind === "runs" ? "ran" : "was started";
}

/** Lines are numbers: each run counts from 0, and what was there once is there again. */
async function readLog({ engine }: World, name: string): Promise<void> {
  const kept = keptOf(name);
  const decoder = new AttachFrameDecoder();
  const pieces: Uint8Array[] = [];
  for await (const bytes of await engine.containers.logs(name, { stdout: true, stderr: true, tail: "all" }))
    pieces.push(...decoder.push(bytes).map((piece) => piece.bytes));
  const lines = Buffer.concat(pieces).toString("utf8").split("\n").slice(0, -1);
  let before = -1;
  for (const [index, line] of lines.entries()) {
    if (line !== String(before + 1) && line !== "0")
      throw new Violation(`line ${index} of ${name}'s log is ${JSON.stringify(line)}, after ${before}`);
    before = Number(line);
  }
  if (lines.length < kept.lines) throw new Violation(`${name}'s log had ${kept.lines} lines, and has ${lines.length}`);
  kept.lines = lines.length;
}

async function copyIn({ engine, random }: World, name: string): Promise<void> {
  const kept = keptOf(name);
  if (kept.mayBePaused) await unpause(engine, name);
  const file = `file-${Math.floor(random.between(0, 5))}`;
  await engine.containers.putArchive(name, "/", pieces(tarOfFile(file, name)), false);
  kept.files.add(file);
}

async function* pieces(bytes: Uint8Array): AsyncGenerator<Uint8Array, void> {
  yield bytes;
}

async function copyOut({ engine }: World, name: string): Promise<void> {
  const kept = keptOf(name);
  await unpause(engine, name); // it is asked for something in any case: an answer says that it is there
  for (const file of kept.files)
    try {
      const { archive } = await engine.containers.getArchive(name, `/${file}`);
      const parts: Uint8Array[] = [];
      for await (const piece of archive) parts.push(piece);
      const content = Buffer.concat(parts)
        .subarray(512, 512 + name.length)
        .toString("utf8");
      if (content !== name) throw new Violation(`${file} in ${name} was copied there, and holds ${content}`);
    } catch (error) {
      if (isStatus(error, 404)) throw new Violation(`${file} was copied into ${name}, and is gone: ${error.message}`);
      throw error;
    }
}

/** A ustar header, one block of content, and the end. */
function tarOfFile(name: string, content: string): Uint8Array {
  const tar = Buffer.alloc(512 * 4);
  tar.write(name, 0);
  const octal = (value: number, digits: number): string => `${value.toString(8).padStart(digits, "0")}\x00`;
  tar.write([octal(0o644, 7), octal(0, 7), octal(0, 7), octal(content.length, 11), octal(0, 11)].join(""), 100);
  tar.write(" ".repeat(8), 148);
  tar.write("0", 156);
  tar.write("ustar\x0000", 257);
  tar.write(content, 512);
  const sum = tar.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  tar.write(`${octal(sum, 6)} `, 148);
  return tar;
}

async function limit({ engine, random }: World, name: string): Promise<void> {
  const kept = keptOf(name);
  kept.pidsLimit = undefined;
  const PidsLimit = Math.floor(random.between(50, 100));
  await engine.containers.update(name, { PidsLimit });
  kept.pidsLimit = PidsLimit;
}
