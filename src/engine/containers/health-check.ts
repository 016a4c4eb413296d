/** The settings of a health check, and what follows from a probe's result. Pure. */

import type { ContainerCreateBody } from "../../spec/engine-api-container.ts";

export interface HealthCheck {
  readonly command: readonly string[];
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** How long after the start failures do not count. */
  readonly startPeriodMs: number;
  readonly startIntervalMs: number;
  readonly retries: number;
}

export type HealthStatus = "starting" | "healthy" | "unhealthy";

export interface Probe {
  readonly startedMs: number;
  readonly endedMs: number;
  /** 0: healthy. -1: it took too long, or could not be started. */
  readonly exitCode: number;
  readonly output: string;
}

export interface Health {
  readonly status: HealthStatus;
  /** Failures in a row that counted. */
  readonly failingStreak: number;
  /** When the last of those failures began (Unix time); 0: none. */
  readonly countedMs: number;
  /** How many probes were made since the start. */
  readonly tries: number;
  /** The last ones, oldest first. */
  readonly log: readonly Probe[];
}

export const notProbed: Health = { status: "starting", failingStreak: 0, countedMs: 0, tries: 0, log: [] };

const LOG_ENTRIES = 5;
const FIRST_DELAY_MS = 100;
const defaults = { interval: 30_000, timeout: 30_000, startInterval: 5000, retries: 3 } as const;
const shell = ["/bin/sh", "-c"] as const;

/** undefined for a container without a health check. */
export function healthCheckOf({
  Healthcheck,
  Shell,
}: Pick<ContainerCreateBody, "Healthcheck" | "Shell">): HealthCheck | undefined {
  const [kind, ...words] = Healthcheck?.Test ?? [];
  if (Healthcheck === undefined || (kind !== "CMD" && kind !== "CMD-SHELL")) return undefined;
  const ms = (ns: number, otherwise: number): number => (ns === 0 ? otherwise : ns / 1e6);
  return {
    command: kind === "CMD" ? words : [...(Shell ?? shell), ...words],
    intervalMs: ms(Healthcheck.Interval, defaults.interval),
    timeoutMs: ms(Healthcheck.Timeout, defaults.timeout),
    startPeriodMs: ms(Healthcheck.StartPeriod, 0),
    startIntervalMs: ms(Healthcheck.StartInterval, defaults.startInterval),
    retries: Healthcheck.Retries || defaults.retries,
  };
}

/**
 * The health after a probe. While the status is "starting", probes are made more often than in Docker; a failure counts only where
 * Docker would have probed too: after the start period, and an interval after the last failure that counted.
 *
 * @param startedMs when the container was started
 */
export function afterProbe(check: HealthCheck, before: Health, probe: Probe, startedMs: number): Health {
  const log = [...before.log, probe].slice(-LOG_ENTRIES);
  const tries = before.tries + 1;
  if (probe.exitCode === 0) return { status: "healthy", failingStreak: 0, countedMs: 0, tries, log };
  const isSpared = before.status === "starting" && probe.startedMs - startedMs < check.startPeriodMs;
  const since = before.countedMs === 0 ? startedMs : before.countedMs;
  // Timers may fire a little early.
  const isDue = before.status !== "starting" || probe.startedMs - since >= check.intervalMs * 0.95;
  if (isSpared || !isDue) return { ...before, tries, log };
  const failingStreak = before.failingStreak + 1;
  const status = failingStreak >= check.retries ? "unhealthy" : before.status;
  return { status, failingStreak, countedMs: probe.startedMs, tries, log };
}

/** The delay until the next probe: none for the first one, then growing delays until the container is healthy. */
export function nextProbeMs(check: HealthCheck, { status, tries }: Health): number {
  if (status !== "starting") return check.intervalMs;
  if (tries === 0) return 0;
  return Math.min(FIRST_DELAY_MS * 2 ** (tries - 1), check.startIntervalMs, check.intervalMs);
}
