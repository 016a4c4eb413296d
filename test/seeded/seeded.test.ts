/**
 * Tests that cannot fail prove nothing: of each kind one is run as it is, and once more with a fault in what it tests, which it
 * must notice. ORLOP_TEST_SEEDED=all takes the slow ones along (before a release); ORLOP_TEST_SEEDED=KIND one kind alone.
 */

import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { testWhere } from "../kernel/harness.ts";
import { testOrlopPath } from "../product.ts";
import { faults, type SeededFault } from "./faults.ts";

const root = join(import.meta.dir, "../..");
const chosen = process.env["ORLOP_TEST_SEEDED"] ?? "";
const timeoutMs = 300_000;
/** What the fault keeps from happening is waited for so long. */
const patience = { ORLOP_TEST_PATIENCE_MS: "10000" };

const isChosen = ({ kind, isSlow }: SeededFault): boolean =>
  chosen === "all" || (chosen === "" ? isSlow !== true : chosen === kind);

/** One file's test, on the test build, with these variables. */
async function runTest(
  { file, test: name }: SeededFault,
  env: Readonly<Record<string, string>>,
): Promise<{ readonly exitCode: number; readonly said: string }> {
  const words = [
    process.execPath,
    "test",
    "--timeout=120000",
    "--define",
    "ORLOP_POINTS=true",
    `./${file}`,
    "-t",
    name,
  ];
  const child = Bun.spawn(words, {
    cwd: root,
    env: { ...process.env, NO_COLOR: "1", ORLOP_PROGRAM: testOrlopPath, ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, errors] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return { exitCode: await child.exited, said: `${out}${errors}` };
}

/** What is there without the fault. */
function withoutFault(env: Readonly<Record<string, string>>): Record<string, string> {
  const { ORLOP_POINT: _, ORLOP_SEEDED_FAULT: __, ...rest } = env;
  return rest;
}

for (const fault of faults.filter(isChosen))
  testWhere(...(fault.needs ?? []))(
    `${fault.kind}: ${fault.what}`,
    async () => {
      const { exitCode, said } = await runTest(fault, withoutFault(fault.env));
      if (exitCode !== 0 || !/^ *[1-9]\d* pass$/m.test(said))
        throw new Error(`without the fault:\n${said.slice(-4000)}`);
      const withFault = await runTest(fault, { ...patience, ...fault.env });
      if (withFault.exitCode === 0 || !fault.notices.test(withFault.said))
        throw new Error(`with the fault (${JSON.stringify(fault.env)}):\n${withFault.said.slice(-4000)}`);
    },
    timeoutMs,
  );

/** Those whose tests are no tests of the product's behaviour, or need another machine. */
const without: Readonly<Record<string, string>> = {
  launcher: "compares the launcher with the program that it stands for: each is the other's proof",
  seeded: "these",
  tour: "types what docs/tour.md says: its commands are tested, each with its kind",
  vm: "runs the kinds above on another kernel",
};

test("every kind of test has its fault", () => {
  const kinds = readdirSync(join(root, "test"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);
  const known = new Set([...faults.map(({ kind }) => kind), ...Object.keys(without)]);
  expect(kinds.filter((kind) => !known.has(kind))).toEqual([]);
});

test("what people run cannot be told to have a fault", () => {
  const switches = ["ORLOP_SEEDED_FAULT", "ORLOP_ENGINE_POINT", "ORLOP_POINT"];
  for (const [folder, there] of [
    ["dist", false],
    ["dist/test", true],
  ] as const)
    for (const program of ["orlop-program", "orlop-executor"]) {
      const bytes = readFileSync(join(root, folder, program));
      expect([folder, program, switches.some((name) => bytes.includes(name))]).toEqual([folder, program, there]);
    }
});
