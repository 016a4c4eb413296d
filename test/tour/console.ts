/** What a document shows of a console: commands as typed, and what they print. */

export interface Shown {
  /** As it is typed; further lines were typed behind "> ". */
  readonly command: string;
  readonly output: readonly string[];
  /** Of the first line, from 1. */
  readonly line: number;
}

/** The commands of every ```console block, in order. */
export function parseConsole(markdown: string): Shown[] {
  const shown: { command: string; output: string[]; line: number }[] = [];
  let inside = false;
  markdown.split("\n").forEach((text, index) => {
    if (text.startsWith("```")) {
      inside = text === "```console";
      return;
    }
    if (!inside) return;
    const last = shown.at(-1);
    if (text.startsWith("$ ")) shown.push({ command: text.slice(2), output: [], line: index + 1 });
    else if (last !== undefined && text.startsWith("> ") && last.output.length === 0)
      last.command += `\n${text.slice(2)}`;
    else last?.output.push(text);
  });
  return shown;
}

/**
 * Whether a command printed what is shown. In a shown line `…` stands for anything; a line that is `…` alone stands for any
 * number of lines. Trailing blanks do not count.
 */
export function matches(shown: readonly string[], printed: string): boolean {
  const lines = shown.map((line) =>
    line === "…" ? "(?:.*\n)*" : `${line.trimEnd().split("…").map(escapeText).join(".*")}\n`,
  );
  const text = printed
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n");
  return new RegExp(`^${lines.join("")}$`).test(text === "" || text.endsWith("\n") ? text : `${text}\n`);
}

function escapeText(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
