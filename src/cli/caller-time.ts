/** Points in time on the command line of a caller, who may have another time zone than the process that reads them. */
import { parseTime } from "../base/point-in-time.ts";
import type { Caller } from "./caller.ts";

/** @throws {OrlopError} bad_value */
export function parseCallerTime(text: string, what: string, nowMs: number, caller: Caller): string {
  const isDate = /^\d{4}-/.test(text);
  if (isDate && !/(Z|[+-]\d{2}:\d{2})$/.test(text)) caller.needOwnProcess(); // local time is the caller's
  return parseTime(text, what, nowMs);
}
