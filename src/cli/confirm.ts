/** Asks for confirmation before data is lost. */
import type { Caller } from "./caller.ts";

/** The first line of standard input decides; no answer is no. */
export async function confirm(warning: string, caller: Caller): Promise<boolean> {
  caller.needOwnProcess();
  await caller.stdout.write(`WARNING! ${warning}\nAre you sure you want to continue? [y/N] `);
  for await (const line of console) return ["y", "yes"].includes(line.trim().toLowerCase());
  return false;
}
