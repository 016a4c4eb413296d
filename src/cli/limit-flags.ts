/** `--cpus` and `--ulimit`. */
import { OrlopError } from "../base/errors.ts";
import type { HostConfig } from "../client/container-types.ts";

/** CPUs as the API counts them, in billionths: "1.5" → 1 500 000 000, by digits, as a float would round. */
export function parseCpus(text: string): number {
  const match = /^(\d{1,6})?(?:\.(\d{1,9}))?$/.exec(text);
  const nanoCpus = match === null ? 0 : Number(match[1] ?? 0) * 1e9 + Number((match[2] ?? "").padEnd(9, "0"));
  if (nanoCpus === 0)
    throw OrlopError.of("bad_value", { what: "--cpus", value: text, expected: "a number of CPUs over 0, e.g. 1.5" });
  return nanoCpus;
}

/** `nofile=1024:2048`, `core=0`, `memlock=-1` (no limit). */
export function parseUlimit(text: string): NonNullable<HostConfig["Ulimits"]>[number] {
  const match = /^([a-z]+)=(-1|\d{1,15}|unlimited)(?::(-1|\d{1,15}|unlimited))?$/.exec(text);
  const soft = limitOf(match?.[2]);
  const hard = limitOf(match?.[3] ?? match?.[2]);
  if (match === null || (hard !== -1 && (soft === -1 || soft > hard)))
    throw OrlopError.of("bad_value", {
      what: "--ulimit",
      value: text,
      expected: "NAME=SOFT[:HARD] with SOFT not over HARD; -1 is unlimited",
    });
  return { Name: match[1] as string, Soft: soft, Hard: hard };
}

function limitOf(text: string | undefined): number {
  return text === "unlimited" ? -1 : Number(text);
}
