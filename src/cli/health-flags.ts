/** `--health-…` and `--no-healthcheck`. */
import { OrlopError } from "../base/errors.ts";
import type { Healthcheck } from "../client/container-types.ts";

interface HealthFlags {
  readonly healthCmd: string | undefined;
  readonly healthInterval: number | undefined;
  readonly healthTimeout: number | undefined;
  readonly healthRetries: number | undefined;
  readonly healthStartPeriod: number | undefined;
  readonly healthStartInterval: number | undefined;
  readonly noHealthcheck: boolean;
}

const NS_PER_MS = 1_000_000;

/** undefined: the image's, as it is. @throws {OrlopError} flags_conflict, bad_value */
export function healthcheckOf(flags: HealthFlags): Healthcheck | undefined {
  const given = {
    Test: flags.healthCmd === undefined ? undefined : ["CMD-SHELL", flags.healthCmd],
    Interval: ns(flags.healthInterval, "--health-interval"),
    Timeout: ns(flags.healthTimeout, "--health-timeout"),
    Retries: flags.healthRetries,
    StartPeriod: ns(flags.healthStartPeriod, "--health-start-period"),
    StartInterval: ns(flags.healthStartInterval, "--health-start-interval"),
  };
  const fields = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const isAny = Object.keys(fields).length > 0;
  if (flags.noHealthcheck && isAny)
    throw OrlopError.of("flags_conflict", { first: "--no-healthcheck", second: "--health-…" });
  if (flags.noHealthcheck) return { Test: ["NONE"] };
  return isAny ? fields : undefined;
}

function ns(durationMs: number | undefined, flag: string): number | undefined {
  if (durationMs === undefined) return undefined;
  if (durationMs < 0)
    throw OrlopError.of("bad_value", { what: flag, value: `${durationMs}ms`, expected: "no negative duration" });
  return Math.round(durationMs * NS_PER_MS);
}
