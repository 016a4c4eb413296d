/** When a container that ended starts again by itself: Docker's rules and back-off. Pure. */

import type { HostConfig } from "../../spec/engine-api-host-config.ts";
import type { RunRecord } from "./container-record.ts";

/** What is kept of a container's restarts between its runs. */
export interface RestartState {
  /** Since it was last started by hand. */
  readonly count: number;
  /** By a stop or a kill: then it stays so, until it is started, or the machine was. */
  readonly isStopped: boolean;
  /** What the last restart waited; 0 before the first, and after a run that lasted. */
  readonly delayMs: number;
  /** It ended, and is to start again after `delayMs`. */
  readonly isWaiting: boolean;
}

export const noRestarts: RestartState = { count: 0, isStopped: false, delayMs: 0, isWaiting: false };

type Policy = HostConfig["RestartPolicy"];

const FIRST_DELAY_MS = 100;
const DELAY_MAX_MS = 60_000;
/** A run of this length makes the next delay short again. */
const LASTING_NS = 10_000_000_000n;

export function hasPolicy({ Name }: Policy): boolean {
  return Name !== "" && Name !== "no";
}

/** What comes of a run that ended. */
export function afterEnd(policy: Policy, before: RestartState, run: RunRecord): RestartState {
  const lasted = run.startedNs !== "0" && BigInt(run.endedNs) - BigInt(run.startedNs) >= LASTING_NS;
  const { delayMs } = lasted ? laterStill(noRestarts) : laterStill(before);
  if (before.isStopped || !wantsRestart(policy, before, run)) return { ...before, delayMs: 0, isWaiting: false };
  return { ...before, count: before.count + 1, delayMs, isWaiting: true };
}

/** The next restart waits longer. */
export function laterStill(before: RestartState): RestartState {
  const delayMs = before.delayMs === 0 ? FIRST_DELAY_MS : Math.min(before.delayMs * 2, DELAY_MAX_MS);
  return { ...before, delayMs };
}

/** Whether a container that stood still when the machine went down comes back with it. */
export function comesBack(policy: Policy, { isStopped }: RestartState, run: RunRecord): boolean {
  if (run.startedNs === "0") return false;
  return policy.Name === "always" || (policy.Name === "unless-stopped" && !isStopped);
}

function wantsRestart({ Name, MaximumRetryCount }: Policy, { count }: RestartState, run: RunRecord): boolean {
  if (Name === "always" || Name === "unless-stopped") return true;
  return Name === "on-failure" && run.exitCode !== 0 && (MaximumRetryCount === 0 || count < MaximumRetryCount);
}
