/** What doctor examines: this machine, or a fake one in tests. */
import { readFileSync, statfsSync, statSync } from "node:fs";
import { release } from "node:os";
import { StepFailure } from "../kernel/executor.ts";
import { runOneShot } from "../kernel/executor-one-shot.ts";
import { type ExecutorSteps, readExecutorSteps } from "../kernel/executor-steps.ts";
import type { Step } from "../kernel/step.ts";

export interface Machine {
  readonly uid: number;
  /** e.g. "6.1.0-28-amd64". */
  readonly kernelRelease: string;
  /** A file's text; undefined where it cannot be read. */
  readText(path: string): string | undefined;
  exists(path: string): boolean;
  /** Bytes that are free for root, of the file system that has this path. */
  freeBytes(path: string): number;
  /** Carries out steps in a process that ends with them. undefined: they succeeded; else why not. */
  probe(steps: readonly Step[]): Promise<string | undefined>;
  /** The executor's table of steps, or undefined and its error output when it does not run. */
  executorSteps(): ExecutorSteps;
  /** Whether a program is on the PATH. */
  hasProgram(name: string): boolean;
}

/** This machine. @param executor  the executor's file */
export function thisMachine(executor: string): Machine {
  return {
    uid: process.getuid?.() ?? 0,
    kernelRelease: release(),
    readText,
    exists: (path) => statSync(path, { throwIfNoEntry: false }) !== undefined,
    freeBytes: (path) => {
      const { bavail, bsize } = statfsSync(path);
      return bavail * bsize;
    },
    probe: (steps) => probe(steps, executor),
    executorSteps: () => readExecutorSteps(executor),
    hasProgram: (name) =>
      [...(process.env["PATH"] ?? "").split(":"), "/usr/sbin", "/sbin"].some(
        (directory) => statSync(`${directory}/${name}`, { throwIfNoEntry: false })?.isFile() === true,
      ),
  };
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error) return undefined; // missing, or not readable: the check decides what that means
    throw error;
  }
}

async function probe(steps: readonly Step[], executor: string): Promise<string | undefined> {
  try {
    await runOneShot(steps, { executable: executor });
    return undefined;
  } catch (error) {
    if (error instanceof StepFailure) return error.message;
    return error instanceof Error ? error.message : String(error);
  }
}
