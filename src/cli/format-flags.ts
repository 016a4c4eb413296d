/** `--format` as Docker's command line has it: of lists, and of single objects. */
import { OrlopError } from "../base/errors.ts";
import type { Flag } from "../command/flag.ts";
import type { CliContext } from "./context.ts";
import { formatTable } from "./format-table.ts";
import { openTemplate, type Template } from "./template.ts";
import { textOf } from "./template-values.ts";

export const listFormat = {
  type: "text",
  default: "table",
  value: "FORMAT",
  help: "table, json, or a Go template for each line, with titles if it begins with table",
} as const satisfies Flag;

export const objectFormat = {
  type: "text",
  short: "f",
  value: "FORMAT",
  help: "json (one line for each), or a Go template",
} as const satisfies Flag;

/** A field of a row: text, or what a template calls with a name (`.Label "KEY"`). */
type Cell = string | ((name: string) => string);

export interface List<Row> {
  readonly rows: readonly Row[];
  /** The title of each field. */
  readonly titles: Readonly<Record<string, string>>;
  /** What a table has without a template. */
  readonly columns: readonly (keyof Row & string)[];
}

/** @throws {OrlopError} bad_template; bad_value of a format that is none */
export async function printList<Row extends { readonly [K in keyof Row]: Cell }>(
  { rows, titles, columns }: List<Row>,
  format: string,
  { print, stdout }: Pick<CliContext, "print" | "stdout">,
): Promise<void> {
  const titleOf = (column: string) => titles[column] ?? column;
  if (format === "json") for (const row of rows) await print(JSON.stringify(row));
  else if (format === "table")
    await stdout.write(
      formatTable(
        columns.map(titleOf),
        rows.map((row) => columns.map((column) => String(row[column]))),
      ),
    );
  else if (/^table\s/.test(format)) {
    const template = listTemplate(format.slice("table".length).trim());
    const cells = (line: string) => line.split("\t");
    const title = template({ ...titles, Label: labelTitle }, titleFunctions);
    await stdout.write(
      formatTable(
        cells(title),
        rows.map((row) => cells(template(row))),
      ),
    );
  } else {
    const template = listTemplate(format);
    for (const row of rows) await print(template(row));
  }
}

/** In lists Docker's CLI takes \t and \n as written in a shell's single quotes. */
function listTemplate(format: string): Template {
  return formatTemplate(format.replaceAll("\\t", "\t").replaceAll("\\n", "\n"), "--format");
}

/** A word that is no format is no template either: Docker prints it once for each line. @throws {OrlopError} bad_value */
export function formatTemplate(format: string, what: string): Template {
  if (!format.includes("{{"))
    throw OrlopError.of("bad_value", {
      what,
      value: format,
      expected: `${what === "-f" ? "" : "table, "}json or a Go template such as '{{.ID}}'`,
    });
  return openTemplate(format, what);
}

/** "com.example.some-key" is titled "some key". */
function labelTitle(name: string): string {
  return (name.split(".").at(-1) ?? "").replaceAll(/[-_]/g, " ");
}

/** In a title the first argument stays as it is, whatever is done to it in the lines. */
const itself = (value: unknown): string => textOf(value);
const titleFunctions = {
  json: itself,
  split: itself,
  join: itself,
  title: itself,
  lower: itself,
  upper: itself,
  truncate: itself,
  pad: itself,
  print: itself,
  println: itself,
  printf: (_: unknown, value: unknown): string => textOf(value),
};
