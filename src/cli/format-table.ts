/** Rows in columns, three spaces apart, as Docker's CLI prints lists. */

import { printableLine } from "./printable.ts";

/** The table with its titles; every line ends with a line feed. */
export function formatTable(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [titles, ...rows.map((row) => row.map(printableLine))];
  const widths = titles.map((_, column) => Math.max(...all.map((row) => (row[column] ?? "").length)));
  const lines = all.map((row) =>
    row
      .map((cell, column) => (column === titles.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
      .join("   ")
      .trimEnd(),
  );
  return `${lines.join("\n")}\n`;
}
