/** Writes docs/cli.md from the command table and docs/errors.md from the error table; `--check` only compares. */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { errorTable, type Started } from "../src/base/errors.ts";
import { orlop } from "../src/cli/commands.ts";
import { globalFlags } from "../src/cli/global-flags.ts";
import type { Command } from "../src/command/command.ts";
import type { Flags } from "../src/command/flag.ts";
import { flagMeaning, flagUsage, visibleFlags } from "../src/command/help.ts";
import { listCommands } from "../src/command/table.ts";

const docs = join(import.meta.dir, "../docs");
const generated = "<!-- made by scripts/generate-docs.ts: change the tables in src/, not this file -->";

async function cliDocument(): Promise<string> {
  const commands = (await listCommands(orlop, "orlop")).filter(({ command }) => !command.hidden);
  const seen = new Set<unknown>();
  const sections = commands.flatMap(({ path, command }) => {
    // A command under a second name is described where it comes first.
    if (seen.has(command)) return [];
    seen.add(command);
    const others = commands
      .filter((other) => other.command === command && other.path !== path)
      .map((other) => other.path);
    return [commandSection(path, command, others)];
  });
  return [
    "# Commands",
    generated,
    orlop.summary,
    "Flags before the command:",
    flagTable(globalFlags),
    "A command talks to the engine that `--host` names, else `ORLOP_HOST`, else `DOCKER_HOST` if that is an Orlop socket (a path that ends in `orlop.sock`; any other belongs to another engine and is left alone), else to the one of the run directory, which is started if it is not running.",
    "| user | run directory | state directory |\n|---|---|---|\n| root | `/run/orlop` | `/var/lib/orlop` |\n| others | `$XDG_RUNTIME_DIR/orlop` | `$XDG_DATA_HOME/orlop` (`~/.local/share/orlop`) |",
    whereCommandsRun(commands),
    "Exit codes: 0, or 1 when something failed. `run`, `start -a` and `attach` exit with the container's own code; `run` with 125 when Orlop failed, 126 when the command cannot be run, and 127 when it was not found.",
    ...sections,
    "",
  ].join("\n\n");
}

type Listed = Awaited<ReturnType<typeof listCommands<never>>>[number];

function whereCommandsRun(commands: readonly Listed[]): string {
  const own = [...new Set(commands.filter(({ command }) => !command.inEngine).map(({ command }) => command))];
  const names = own.map((command) => commands.find((each) => each.command === command)?.path.replace("orlop ", ""));
  return [
    "A command runs inside the engine, which is there already; the program that was called carries its streams, signals and terminal there. What needs the caller's files or credentials runs in a process of its own:",
    `${names.map((name) => `\`${name}\``).join(", ")}, help, the question before \`prune\`, and \`run\` and \`create\` if their flags name a file or the image has to be pulled. So does every command while no engine runs, or one of another build, and with \`ORLOP_OWN_PROCESS=1\`.`,
  ].join(" ");
}

function commandSection(path: string, command: Command<never>, others: readonly string[]): string {
  const usage = `${path} ${visibleFlags(command.flags).length > 0 ? "[FLAGS] " : ""}${command.args}`.trim();
  return [
    `## ${path}`,
    `${command.summary}.`,
    `    ${usage}`,
    ...(others.length === 0 ? [] : [`Also: ${others.map((other) => `\`${other}\``).join(", ")}.`]),
    ...(command.description === "" ? [] : [command.description]),
    ...(visibleFlags(command.flags).length === 0 ? [] : [flagTable(command.flags)]),
    ...(command.examples.length === 0 ? [] : [command.examples.map((line) => `    ${line}`).join("\n")]),
    ...laterFlags(command.flags),
  ].join("\n\n");
}

function flagTable(flags: Flags): string {
  const rows = visibleFlags(flags).map(
    ([key, flag]) =>
      `| \`${flagUsage(key, flag).trim().replaceAll("|", "\\|")}\` | ${flagMeaning(flag).replaceAll("|", "\\|")} |`,
  );
  return ["| flag | what it does |", "|---|---|", ...rows].join("\n");
}

/** Docker's flags that are refused by name. */
function laterFlags(flags: Flags): string[] {
  const names = Object.entries(flags)
    .filter(([, flag]) => flag.type === "later")
    .map(
      ([key, flag]) =>
        `\`${flagUsage(key, flag)
          .trim()
          .split(" ")
          .find((word) => word.startsWith("--"))}\``,
    );
  return names.length === 0 ? [] : [`Not yet: ${names.join(", ")}.`];
}

/** Parameters that choose words instead of being said: the document shows one choice. */
const choices: Readonly<Record<string, string>> = { started: "container" satisfies Started };

/** A row's sentences with its parameters' names in place of their values. */
function errorsDocument(): string {
  const named = new Proxy({}, { get: (_, name) => choices[String(name)] ?? `‹${String(name)}›` });
  const rows = Object.entries(errorTable).map(([code, row]) => {
    const { kind, wrong, remedy } = row as unknown as {
      kind: string;
      wrong: (p: object) => string;
      remedy: (p: object) => string;
    };
    return `| \`${code}\` | ${kind} | ${cell(wrong(named))} | ${cell(remedy(named))} |`;
  });
  return [
    "# Errors",
    generated,
    "Every error that Orlop itself can answer with. Codes are public: they are added, never renamed. The kind says what the caller can do, and gives the HTTP status: invalid 400, denied 403, not_found 404, conflict 409, unsupported 501, unavailable 503, internal 500.",
    ["| code | kind | what is wrong | what to do |", "|---|---|---|---|", ...rows].join("\n"),
    "",
  ].join("\n\n");
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("\n", " ");
}

const documents = { "cli.md": await cliDocument(), "errors.md": errorsDocument() };
const check = process.argv.includes("--check");
for (const [name, text] of Object.entries(documents)) {
  const path = join(docs, name);
  if (!check) writeFileSync(path, text);
  else if (readFileSync(path, "utf8") !== text) {
    console.error(`docs/${name} is not what the tables say: run bun scripts/generate-docs.ts`);
    process.exitCode = 1;
  }
}
