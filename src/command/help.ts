/** Help texts, made from the command table alone. */
import type { Command } from "./command.ts";
import { type Flag, type Flags, longName, valueName } from "./flag.ts";
import type { Group } from "./table.ts";

const widthColumns = 100;

/** `orlop run --help`. */
export function commandHelp<Context>(command: Command<Context>, path: string): string {
  const usage = ["Usage:", path, hasFlags(command.flags) ? "[FLAGS]" : "", command.args].filter((part) => part !== "");
  return sections([
    wrap(command.summary),
    usage.join(" "),
    wrap(command.description),
    ...flagBlocks(command.flags),
    lines("Examples:", command.examples),
  ]);
}

/** `orlop --help`, `orlop system --help`: the commands of a group; the program's own flags at the end. */
export async function groupHelp<Context>(group: Group<Context>, path: string, flags: Flags): Promise<string> {
  const rows: Row[] = [];
  for (const [name, entry] of Object.entries(group.commands)) {
    if (typeof entry !== "function") rows.push([name, entry.summary]);
    else {
      const command = await entry();
      if (!command.hidden) rows.push([name, command.summary]);
    }
  }
  return sections([
    wrap(group.summary),
    `Usage: ${path} [FLAGS] COMMAND`,
    block("Commands:", rows),
    ...flagBlocks(flags),
    lines("To begin with:", group.examples ?? []),
    `${path} COMMAND --help says more about a command.`,
  ]);
}

type Row = readonly [left: string, right: string];

/** The flags that help shows, one row each: `-e, --env LIST`, what it does. Where there are many they have headings. */
function flagBlocks(flags: Flags): readonly string[] {
  const groups: { readonly title: string; readonly rows: Row[] }[] = [{ title: "Flags:", rows: [] }];
  for (const [key, flag] of visibleFlags(flags)) {
    if (flag.heading !== undefined) groups.push({ title: `${flag.heading}:`, rows: [] });
    groups.at(-1)?.rows.push([flagUsage(key, flag), flagMeaning(flag)]);
  }
  const width = leftWidth(groups.flatMap(({ rows }) => rows));
  return groups.map(({ title, rows }) => block(title, rows, width));
}

/** The flags that help and docs show. */
export function visibleFlags(flags: Flags): readonly (readonly [string, Flag])[] {
  return Object.entries(flags).filter(([, flag]) => !flag.hidden && flag.type !== "later");
}

/** How a flag is written: `-e, --env LIST`. */
export function flagUsage(key: string, flag: Flag): string {
  const short = flag.short === undefined ? "    " : `-${flag.short}, `;
  const value = valueName(flag);
  return `${short}--${longName(key)}${value === "" ? "" : ` ${value}`}`;
}

/** What a flag does, with its default where that says something. */
export function flagMeaning(flag: Flag): string {
  const fallback = "default" in flag ? flag.default : undefined;
  if (fallback === undefined || fallback === false || fallback === "" || fallback === 0) return flag.help;
  return `${flag.help} (default ${fallback})`;
}

function hasFlags(flags: Flags): boolean {
  return visibleFlags(flags).length > 0;
}

function sections(parts: readonly string[]): string {
  return `${parts.filter((part) => part !== "").join("\n\n")}\n`;
}

function lines(title: string, rows: readonly string[]): string {
  return rows.length === 0 ? "" : [title, ...rows.map((row) => `  ${row}`)].join("\n");
}

/** Of the left column; what is longer has a line of its own. */
function leftWidth(rows: readonly Row[]): number {
  return Math.min(34, Math.max(...rows.map(([text]) => text.length)));
}

/** Rows in two columns; the right one wraps under itself. */
function block(title: string, rows: readonly Row[], left = leftWidth(rows)): string {
  if (rows.length === 0) return "";
  const indent = `\n${" ".repeat(left + 4)}`;
  const shown = rows.map(([name, meaning]) => {
    const text = wrap(meaning, widthColumns - left - 4).replaceAll("\n", indent);
    return name.length <= left ? `  ${name.padEnd(left)}  ${text}` : `  ${name}${indent}${text}`;
  });
  return [title, ...shown].join("\n");
}

/** Breaks paragraphs at spaces, so that no line is wider than this; lines that begin with a space stay as they are. */
export function wrap(text: string, width = widthColumns): string {
  const wrapped = text
    .split("\n")
    .map((paragraph) => (paragraph.startsWith(" ") ? paragraph : wrapLine(paragraph, width)));
  return wrapped.join("\n");
}

function wrapLine(paragraph: string, width: number): string {
  const out: string[] = [];
  let line = "";
  for (const word of paragraph.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      out.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...out, line].join("\n");
}
