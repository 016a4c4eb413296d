/**
 * Step points of a test build: a named place in the code where a test can kill, stop or fail the engine, as the executor has
 * them (native/README.md, "Step points"). Without ORLOP_POINTS at build time this is nothing.
 */

declare const ORLOP_POINTS: boolean | undefined;

const enabled = typeof ORLOP_POINTS !== "undefined" && ORLOP_POINTS === true;

interface Choice {
  readonly name: string;
  readonly action: string;
  /** Reached this many more times before it acts. */
  left: number;
}

/** ORLOP_ENGINE_POINT=NAME:ACTION[:N]; ACTION: kill, stop, or any other word: throws an error of that message. */
const choice = enabled ? parseChoice(process.env["ORLOP_ENGINE_POINT"] ?? "") : undefined;

function parseChoice(text: string): Choice | undefined {
  const match = /^([^:]+):([^:]+)(?::(\d+))?$/.exec(text);
  return match === null ? undefined : { name: match[1] ?? "", action: match[2] ?? "", left: Number(match[3] ?? 1) };
}

/** Marks a state change, before it is made. */
export function point(name: string): void {
  if (!enabled || choice?.name !== name || --choice.left !== 0) return;
  if (choice.action === "kill") process.kill(process.pid, "SIGKILL");
  else if (choice.action === "stop") process.kill(process.pid, "SIGSTOP");
  else throw new Error(`step point ${name}: ${choice.action}`);
}
