/**
 * The first minutes of a stranger, timed: a clean Debian 12 machine, a clone, and the README's commands as they are printed.
 *
 *   bun bench/first-minutes.ts [--all]
 *
 * Needs root, mmdebstrap and Debian's and npm's servers. The first command is tried before anything that it needs is installed:
 * it has to say what is missing, and what it says is then done, word for word. `--all` runs the README's second command too,
 * which passes every test. A site's own authority is taken along from NODE_EXTRA_CA_CERTS. Fails where a command fails, or says
 * nothing for 15 seconds.
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { CleanMachine, type Watched } from "./clean-machine.ts";

/** Longer than this without a word, and people wonder. */
const SILENT_SECONDS = 15;

const { values: options } = parseArgs({ options: { all: { type: "boolean", default: false } } });
const repository = join(import.meta.dir, "..");
const [first, second] = commandsOfReadme();
const machine = await CleanMachine.make(join(repository, ".cache/first-minutes"), repository);
const rows: string[] = [];
let isWell = true;

/** @param expected what its output has to show; undefined: it has to end with 0 */
async function step(name: string, line: string, directory: string, expected?: RegExp, input = ""): Promise<Watched> {
  process.stdout.write(`\n── ${name}: ${line}\n`);
  const watched = await machine.run(line, directory, input, (text) => process.stdout.write(text));
  const isAsExpected = expected === undefined ? watched.exitCode === 0 : expected.test(watched.output);
  const isHeard = watched.silentSeconds <= SILENT_SECONDS;
  isWell &&= isAsExpected && isHeard;
  const verdict = `${isAsExpected ? "" : `failed (${watched.exitCode})`}${isHeard ? "" : " too silent"}`;
  rows.push(`| ${name} | ${watched.seconds.toFixed(1)} | ${watched.silentSeconds.toFixed(1)} | ${verdict} |`);
  return watched;
}

const inside = "hostname; exit 7\n";
try {
  const git = "apt-get update && apt-get install -y --no-install-recommends git ca-certificates";
  await step("git, to clone", git, "/root");
  await step("clone", "git clone -c safe.directory='*' /source-of-clone orlop", "/root");
  const told = await step("first command, as it is", first, "/root/orlop", /packages are missing: /);
  const mending = /packages are missing: (.*)/.exec(told.output)?.[1]?.trim() ?? "false";
  await step("what it said to do", mending, "/root/orlop");
  await step("first command", first, "/root/orlop", /^[0-9a-f]{12}\r?$/m, inside);
  await step("first command again", first, "/root/orlop", /^[0-9a-f]{12}\r?$/m, inside);
  if (options.all) await step("second command", second, "/root/orlop");
} finally {
  await machine.remove();
}
process.stdout.write(`\n| step | seconds | longest silence, seconds | |\n|---|---|---|---|\n${rows.join("\n")}\n`);
process.exitCode = isWell ? 0 : 1;

/** The first two blocks of the README: each is one command. */
function commandsOfReadme(): [string, string] {
  const blocks = [...readFileSync(join(repository, "README.md"), "utf8").matchAll(/^```sh\n(.*)\n```$/gm)];
  const [one, two] = blocks.map(([, command]) => command);
  if (one === undefined || two === undefined) throw new Error("README.md does not begin with two commands of one line");
  return [one, two];
}
