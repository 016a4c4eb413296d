/**
 * `bun run check`: everything that needs neither root nor a build, side by side, in seconds. Exit code 1 when one fails.
 * `--no-tests` leaves out the pure tests, which `npm test` runs too.
 */

import { existsSync } from "node:fs";
import { join } from "node:path";

interface Check {
  readonly name: string;
  /** The first word is looked up in node_modules/.bin. */
  readonly command: readonly string[];
}

interface Outcome {
  readonly name: string;
  readonly exitCode: number;
  readonly output: string;
  readonly seconds: number;
}

const root = join(import.meta.dir, "..");
const docsGenerator = "scripts/generate-docs.ts";

const pureTests = "pure tests";

const all: readonly Check[] = [
  { name: "types", command: ["tsc", "-p", "."] },
  { name: "lint and format", command: ["biome", "ci", "--colors=off", "--error-on-warnings", "."] },
  { name: "dead code", command: ["knip", "--no-progress", "--treat-config-hints-as-errors"] },
  // The import boundaries are one of these tests.
  { name: pureTests, command: ["bun", "test", "--only-failures", "--timeout=60000", "src"] },
  ...(existsSync(join(root, docsGenerator))
    ? [{ name: "generated documents", command: ["bun", docsGenerator, "--check"] }]
    : []),
];

async function run({ name, command }: Check): Promise<Outcome> {
  const began = performance.now();
  const [program = "", ...words] = command;
  const child = Bun.spawn([join(root, "node_modules/.bin", program), ...words], {
    cwd: root,
    env: { ...process.env, NO_COLOR: "1" },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [output, errors, exitCode] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { name, exitCode, output: output + errors, seconds: (performance.now() - began) / 1000 };
}

async function report(check: Check): Promise<boolean> {
  const { name, exitCode, output, seconds } = await run(check);
  const passed = exitCode === 0;
  console.log(`${passed ? "ok    " : "FAILED"} ${name} (${seconds.toFixed(1)} s)`);
  if (!passed) console.log(`${output.trimEnd()}\n`);
  return passed;
}

const checks = all.filter(({ name }) => name !== pureTests || !process.argv.includes("--no-tests"));
const outcomes = await Promise.all(checks.map(report));
process.exitCode = outcomes.every(Boolean) ? 0 : 1;
