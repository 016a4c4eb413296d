/** What `ps` prints, as `top` answers it. Pure. */

import { OrlopError } from "../../base/errors.ts";
import type { ProcessList } from "./top.ts";

/**
 * The lines of these processes. The last column takes what is left of a line; a line of a thread has "-" for its process,
 * which is that of the line before.
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
