/** Runs one plan in a process of its own, `orlop-executor plan`: for tests and tools that have no supervisor. */

import { spawn } from "node:child_process";
import { OrlopError } from "../base/errors.ts";
import { addValue, type Exited, type PlanValues, type Started, StepFailure } from "./executor.ts";
import { encodeBare, FrameDecoder } from "./frame.ts";
import { encodePlan } from "./plan.ts";
import type { Step } from "./step.ts";

/** The result of a plan. */
export interface OneShotResult {
  readonly values: PlanValues;
  /** Of the plan's `spawn`, if it has one. */
  readonly started: Started | undefined;
  readonly exited: Exited | undefined;
  /** The child's standard error, which is this process's standard error stream unless the plan changed it. */
  readonly stderr: string;
}

export interface OneShotOptions {
  /** The program, e.g. dist/orlop-executor. */
  readonly executable: string;
  /** Its environment: step points are chosen there. */
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Carries out a plan, and waits for the end of its child if it has one. GO is sent with the plan.
 *
 * @throws {StepFailure} the step that failed
 * @throws {OrlopError} executor_lost
 */
export async function runOneShot(steps: readonly Step[], options: OneShotOptions): Promise<OneShotResult> {
  const child = spawn(options.executable, ["plan"], { stdio: ["pipe", "pipe", "pipe"], env: { ...options.env } });
  const values = new Map<number, Uint8Array>();
  const decoder = new FrameDecoder();
  let started: Started | undefined;
  let exited: Exited | undefined;
  let done = false;
  let failure: StepFailure | undefined;
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  child.stdout.on("data", (chunk: Uint8Array) => {
    for (const answer of decoder.push(chunk)) {
      if (answer.kind === "VALUE") addValue(values, answer);
      else if (answer.kind === "FAILED") failure ??= new StepFailure(steps, answer.step, answer.errno, answer.detail);
      else if (answer.kind === "DONE") done = true;
      else if (answer.kind === "STARTED") started = { pid: answer.pid, startedNs: answer.startedNs };
      else if (answer.kind === "EXITED") exited = { status: answer.status, endedNs: answer.endedNs };
    }
  });
  const ended = new Promise<string>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
  child.stdin.on("error", () => undefined); // an executor that ended early: its exit says why
  child.stdin.end(Buffer.concat([encodePlan(steps), encodeBare("GO")]));
  const reason = await ended;
  if (failure !== undefined) throw failure;
  if (!done) throw OrlopError.of("executor_lost", { reason: `${reason}${stderr === "" ? "" : `: ${stderr.trim()}`}` });
  return { values, started, exited, stderr };
}
