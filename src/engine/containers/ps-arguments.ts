/** `docker top`'s ps arguments → columns. What is not carried out is refused by name. */

import { OrlopError } from "../../base/errors.ts";
import { bsdFormat, type Column, fullFormat, psColumns, shortFormat, userFormat } from "./ps-columns.ts";

/**
 * Which processes are meant is clear without options (all of the container's): those that choose some more, as -e, are taken
 * and change nothing.
 *
 * @throws {OrlopError} bad_value for an option or column that is not known; no_pid_column, as Docker wants one
 */
export function parsePsArguments(text: string): readonly Column[] {
  const columns: Column[] = [];
  let format = shortFormat;
  const words = text.split(/\s+/).filter((word) => word !== "");
  while (words.length > 0) {
    const word = words.shift() as string;
    const long = /^--format(?:=(.*))?$/.exec(word);
    if (long !== null) {
      columns.push(...parseColumns(long[1] ?? words.shift() ?? ""));
      continue;
    }
    const isDashed = word.startsWith("-");
    for (let letters = isDashed ? word.slice(1) : word; letters !== ""; letters = letters.slice(1)) {
      const letter = letters.charAt(0);
      if (letter === "o" || (letter === "O" && isDashed)) {
        columns.push(...parseColumns(letters.length > 1 ? letters.slice(1) : (words.shift() ?? "")));
        break;
      }
      format = formatOf(letter, isDashed, format, word);
    }
  }
  const chosen = columns.length > 0 ? columns : format;
  if (!chosen.some(({ title }) => title === "PID")) throw OrlopError.of("no_pid_column", {});
  return chosen;
}

function formatOf(letter: string, isDashed: boolean, format: readonly Column[], word: string): readonly Column[] {
  if (isDashed) {
    if (letter === "f" || letter === "F") return fullFormat;
    if (["e", "A", "a", "d", "w", "x"].includes(letter)) return format;
  } else {
    if (letter === "u") return userFormat;
    if (["a", "x"].includes(letter)) return format === shortFormat ? bsdFormat : format;
    if (letter === "w") return format;
  }
  throw OrlopError.of("bad_value", {
    what: "ps option",
    value: word,
    expected: "-e, -A, -f, a, u, x, w, or -o with a list of columns",
  });
}

/** "pid,user=WHO". A header takes the rest of the list, as in ps(1). */
function parseColumns(list: string): Column[] {
  const [names = "", ...header] = list.split("=");
  const columns = names.split(",").map((name) => {
    const found = Object.hasOwn(psColumns, name) ? psColumns[name] : undefined;
    if (found === undefined)
      throw OrlopError.of("bad_value", { what: "ps column", value: name, expected: Object.keys(psColumns).join(", ") });
    return found;
  });
  const last = columns.at(-1);
  if (header.length > 0 && last !== undefined) columns[columns.length - 1] = { ...last, title: header.join("=") };
  return columns;
}
