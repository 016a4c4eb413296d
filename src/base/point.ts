/**
 * Step points of a test build: a named place in the code where a test can kill, stop or fail the engine, as the executor has
 * them (native/README.md, "Step points"). Without ORLOP_POINTS at build time this is nothing.
 */

declare const ORLOP_POINTS: boolean | undefined;

const enabled = typeof ORLOP_POINTS !== "undefined" && ORLOP_POINTS === true;

interface Choice {
  readonly name: string;
  readonly action: string;
  /** How many more times it is reached before it acts. */
  left: number;
}

/** ORLOP_ENGINE_POINT=NAME:ACTION[:N]; ACTION: kill, stop, or any other word: throws an error of that message. */
const choice = enabled ? parseChoice(process.env["ORLOP_ENGINE_POINT"] ?? "") : undefined;

function parseChoice(text: string): Choice | undefined {
  const match = /^([^:]+):([^:]+)(?::(\d+))?$/.exec(text);
  return match === null ? undefined : { name: match[1] ?? "", action: match[2] ?? "", left: Number(match[3] ?? 1) };
}

/** Offsets of the fields in the file; the name is at 0. */
const place = { action: 128, counters: 156, trace: 164 } as const;

/** ORLOP_POINT_FILE: where a test arms one point at a time while we run; the layout is native/points.c's. */
const shared = enabled ? mapPointFile(process.env["ORLOP_POINT_FILE"] ?? "") : undefined;

interface PointFile {
  readonly bytes: Uint8Array;
  /** How many more times until the point acts; how much of the trace is used. */
  readonly counters: Int32Array;
}

function mapPointFile(path: string): PointFile | undefined {
  if (path === "") return undefined;
  const bytes = Bun.mmap(path, { shared: true });
  return { bytes, counters: new Int32Array(bytes.buffer, bytes.byteOffset + place.counters, 2) };
}

/** The action that is armed for this point, if it is its turn. */
function armedAction(name: string): string | undefined {
  if (shared === undefined) return undefined;
  const { bytes, counters } = shared;
  const written = new TextEncoder().encode(`${name}\0`);
  const at = place.trace + Atomics.add(counters, 1, written.length);
  if (at + written.length <= bytes.length) bytes.set(written, at);
  const textAt = (from: number, to: number) => new TextDecoder().decode(bytes.subarray(from, to)).split("\0")[0];
  if (textAt(0, place.action) !== name || Atomics.sub(counters, 0, 1) !== 1) return undefined;
  return textAt(place.action, place.counters);
}

function chosenAction(name: string): string | undefined {
  return choice?.name === name && --choice.left === 0 ? choice.action : undefined;
}

/** Whether a seeded fault is wanted here: ORLOP_SEEDED_FAULT names it, and the tests of one kind must notice it (test/seeded). */
export function seeded(name: string): boolean {
  return enabled && process.env["ORLOP_SEEDED_FAULT"] === name;
}

/** Marks a state change, before it is made. */
export function point(name: string): void {
  if (!enabled) return;
  const action = chosenAction(name) ?? armedAction(name);
  if (action === undefined) return;
  if (action === "kill") process.kill(process.pid, "SIGKILL");
  else if (action === "stop") process.kill(process.pid, "SIGSTOP");
  else throw new Error(`step point ${name}: ${action}`);
}
