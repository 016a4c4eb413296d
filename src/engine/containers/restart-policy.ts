/** Whether and when a container that ended is restarted: Docker's rules and back-off. Pure. */

import type { HostConfig } from "../../spec/engine-api-host-config.ts";
import type { RunRecord } from "./container-record.ts";

/** What is recorded of a container's restarts. */
export interface RestartState {
  /** Restarts by the policy since the last start by a client. */
  readonly count: number;
  /** Stopped or killed by a client: the policy does not apply until it is started, or the machine boots (`always`). */
  readonly isStopped: boolean;
  /** The last restart's delay; 0 before the first, and when no restart follows. */
  readonly delayMs: number;
  /** The container has ended, and is to be restarted after `delayMs`. */
  readonly isWaiting: boolean;
}

export const noRestarts: RestartState = { count: 0, isStopped: false, delayMs: 0, isWaiting: false };

type Policy = HostConfig["RestartPolicy"];

const FIRST_DELAY_MS = 100;
const DELAY_MAX_MS = 60_000;
/** After a run of this length the delay begins at the first one again. */
const LASTING_NS = 10_000_000_000n;

export function hasPolicy({ Name }: Policy): boolean {
  return Name !== "" && Name !== "no";
}

/** The state after a run that ended. */
export function afterEnd(policy: Policy, before: RestartState, run: RunRecord): RestartState {
  const lasted = run.startedNs !== "0" && BigInt(run.endedNs) - BigInt(run.startedNs) >= LASTING_NS;
  const { delayMs } = lasted ? withLongerDelay(noRestarts) : withLongerDelay(before);
  if (before.isStopped || !wantsRestart(policy, before, run)) return { ...before, delayMs: 0, isWaiting: false };
  return { ...before, count: before.count + 1, delayMs, isWaiting: true };
}

/** Doubles the delay of the next restart, up to the maximum. */
export function withLongerDelay(before: RestartState): RestartState {
  const delayMs = before.delayMs === 0 ? FIRST_DELAY_MS : Math.min(before.delayMs * 2, DELAY_MAX_MS);
  return { ...before, delayMs };
}

/** Whether a container that had exited before the machine went down is started after the boot. */
export function restartsAfterBoot(policy: Policy, { isStopped }: RestartState, run: RunRecord): boolean {
  if (run.startedNs === "0") return false;
  return policy.Name === "always" || (policy.Name === "unless-stopped" && !isStopped);
}

function wantsRestart({ Name, MaximumRetryCount }: Policy, { count }: RestartState, run: RunRecord): boolean {
  if (Name === "always" || Name === "unless-stopped") return true;
  return Name === "on-failure" && run.exitCode !== 0 && (MaximumRetryCount === 0 || count < MaximumRetryCount);
}
