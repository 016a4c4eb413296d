/** The options of `ps` that `top` implements itself: the common ones. */

import { OrlopError } from "../../base/errors.ts";
import { bsdFormat, type Column, fullFormat, psColumns, shortFormat, userFormat } from "./ps-columns.ts";

/**
 * Options that select processes, like -e, are accepted and ignored: `top` always lists all processes of the container.
 *
 * @returns undefined for an option or a column that is not implemented here
 * @throws {OrlopError} no_pid_column: Docker requires one
 */
export function parsePsArguments(text: string): readonly Column[] | undefined {
  const columns: Column[] = [];
  let format = shortFormat;
  const words = wordsOf(text);
  while (words.length > 0) {
    const word = words.shift() as string;
    const long = /^--format(?:=(.*))?$/.exec(word);
    if (long !== null) {
      if (!takeColumns(columns, long[1] ?? words.shift() ?? "")) return undefined;
      continue;
    }
    const isDashed = word.startsWith("-");
    for (let letters = isDashed ? word.slice(1) : word; letters !== ""; letters = letters.slice(1)) {
      const letter = letters.charAt(0);
      if (letter === "o" || (letter === "O" && isDashed)) {
        if (!takeColumns(columns, letters.length > 1 ? letters.slice(1) : (words.shift() ?? ""))) return undefined;
        break;
      }
      const next = formatOf(letter, isDashed, format);
      if (next === undefined) return undefined;
      format = next;
    }
  }
  const chosen = columns.length > 0 ? columns : format;
  if (!chosen.some(({ title }) => title === "PID")) throw OrlopError.of("no_pid_column", {});
  return chosen;
}

function formatOf(letter: string, isDashed: boolean, format: readonly Column[]): readonly Column[] | undefined {
  if (isDashed) {
    if (letter === "f" || letter === "F") return fullFormat;
    return ["e", "A", "a", "d", "w", "x"].includes(letter) ? format : undefined;
  }
  if (letter === "u") return userFormat;
  if (["a", "x"].includes(letter)) return format === shortFormat ? bsdFormat : format;
  return letter === "w" ? format : undefined;
}

/** @param list "pid,user=WHO"; a header extends to the end of the list, as in ps(1). @returns false for an unknown column */
function takeColumns(columns: Column[], list: string): boolean {
  const [names = "", ...header] = list.split("=");
  for (const name of names.split(",")) {
    const found = Object.hasOwn(psColumns, name) ? psColumns[name] : undefined;
    if (found === undefined) return false;
    columns.push(found);
  }
  const last = columns.at(-1);
  if (header.length > 0 && last !== undefined) columns[columns.length - 1] = { ...last, title: header.join("=") };
  return true;
}

/**
 * The options as arguments for the host's `ps`.
 *
 * @throws {OrlopError} bad_value for NUL bytes, and for another column titled PID: the PID column tells which lines are the container's
 */
export function wordsForPs(text: string): string[] {
  if (text.includes("\0"))
    throw OrlopError.of("bad_value", { what: "ps option", value: text, expected: "words without NUL bytes" });
  const renamed = /(\S+)=\s*PID\b/.exec(text)?.[0];
  if (renamed !== undefined)
    throw OrlopError.of("bad_value", { what: "ps option", value: renamed, expected: "another title than PID" });
  return wordsOf(text);
}

function wordsOf(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== "");
}
