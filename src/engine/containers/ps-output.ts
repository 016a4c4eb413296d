/** Parses the output of `ps` for `top`. Pure. */

import { OrlopError } from "../../base/errors.ts";
import type { ProcessList } from "./top.ts";

/**
 * The lines of `pids`. The last column takes the rest of a line. A thread's line has "-" as its PID, and belongs to the process of
 * the line before.
 *
 * @throws {OrlopError} no_pid_column
 */
export function parsePsOutput(output: string, pids: readonly number[]): ProcessList {
  const [head = "", ...lines] = output.split("\n").filter((line) => line !== "");
  const titles = wordsOf(head);
  const at = titles.indexOf("PID");
  if (at < 0) throw OrlopError.of("no_pid_column", {});
  const wanted = new Set(pids.map(String));
  const processes: string[][] = [];
  let isWanted = false;
  for (const line of lines) {
    const words = wordsOf(line);
    if (words[at] !== "-") isWanted = wanted.has(words[at] ?? "");
    if (!isWanted) continue;
    const most = titles.length - 1;
    processes.push([...words.slice(0, most), words.slice(most).join(" ")]);
  }
  return { titles, processes };
}

function wordsOf(line: string): string[] {
  return line.split(/\s+/).filter((word) => word !== "");
}
