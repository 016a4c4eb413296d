/** Signals: names and numbers (x86 and arm share them), as `--stop-signal` and `kill -s` write them. */

import { OrlopError } from "../base/errors.ts";

/** The one that no process can ignore. */
export const SIGKILL = 9;

/** SIGHUP is 1. */
const names = [
  ...[
    "HUP",
    "INT",
    "QUIT",
    "ILL",
    "TRAP",
    "ABRT",
    "BUS",
    "FPE",
    "KILL",
    "USR1",
    "SEGV",
    "USR2",
    "PIPE",
    "ALRM",
    "TERM",
  ],
  ...["STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO"],
  ...["PWR", "SYS"],
];

/** Other names of the same signals. */
const aliases: Readonly<Record<string, string>> = { IOT: "ABRT", CLD: "CHLD", POLL: "IO", UNUSED: "SYS" };

/** The C library keeps 32 and 33 for its threads. */
const RTMIN = 34;
const RTMAX = 64;

/**
 * The number of "SIGTERM", "TERM", "term", "15", "SIGRTMIN+3" or "RTMAX-1".
 *
 * @throws {OrlopError} bad_signal
 */
export function parseSignal(text: string): number {
  const number = /^\d{1,3}$/.test(text) ? Number(text) : numberOf(text.toUpperCase().replace(/^SIG/, ""));
  if (number !== undefined && number >= 1 && number <= RTMAX) return number;
  throw OrlopError.of("bad_signal", { signal: text, most: RTMAX });
}

function numberOf(name: string): number | undefined {
  const realTime = /^(RTMIN|RTMAX)(?:([+-])(\d{1,2}))?$/.exec(name);
  if (realTime !== null) {
    const [, from, sign = "+", offset = "0"] = realTime;
    const number = (from === "RTMIN" ? RTMIN : RTMAX) + (sign === "+" ? Number(offset) : -Number(offset));
    return number >= RTMIN && number <= RTMAX ? number : undefined;
  }
  const at = names.indexOf(aliases[name] ?? name);
  return at < 0 ? undefined : at + 1;
}

/** "SIGTERM" for 15, "SIGRTMIN+1" for 35; a number without a name stays a number. */
export function signalName(number: number): string {
  const name = names[number - 1];
  if (name !== undefined) return `SIG${name}`;
  if (number < RTMIN || number > RTMAX) return String(number);
  if (number === RTMIN) return "SIGRTMIN";
  if (number === RTMAX) return "SIGRTMAX";
  return number - RTMIN <= 15 ? `SIGRTMIN+${number - RTMIN}` : `SIGRTMAX-${RTMAX - number}`;
}
