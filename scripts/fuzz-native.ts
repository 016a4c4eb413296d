/**
 * Fuzzes the executor's plan decoder: bun scripts/fuzz-native.ts [SECONDS, default 60]. Needs clang and libclang-rt-14-dev.
 * Starts from real plans; a crash is written beside the corpus, and its path printed.
 */

import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encodePlan } from "../src/kernel/plan.ts";
import { type Step, type StepName, stepTable } from "../src/kernel/step.ts";

const root = join(import.meta.dir, "..");
const directory = join(root, ".cache/fuzz");
const target = join(directory, "plan");
const corpus = join(directory, "corpus");

/** A value of each kind of argument. */
const sampleOf = { s: "/path", n: 7n, b: Uint8Array.of(1, 0, 255), l: ["one", "", "three"] };

/** One plan with every step: so each signature is in the corpus. */
export function everyStep(): Step[] {
  return (Object.keys(stepTable) as StepName[]).map((op) => {
    const values = Object.entries(stepTable[op]).map(([name, kind]) => [name, sampleOf[kind as keyof typeof sampleOf]]);
    return { op, why: "a seed", ...Object.fromEntries(values) } as unknown as Step;
  });
}

/** Builds the target and fuzzes for this long. Throws with libFuzzer's own words when it found something. */
export async function fuzzNative(seconds: number): Promise<string> {
  mkdirSync(corpus, { recursive: true });
  const steps = everyStep();
  writeFileSync(join(corpus, "every-step"), encodePlan(steps));
  for (const step of steps) writeFileSync(join(corpus, step.op), encodePlan([step]));
  const native = join(root, "native");
  const sources = readdirSync(native).filter((name) => name.endsWith(".c") && name !== "main.c");
  const paths = [...sources, "fuzz/plan.c"].map((name) => join(native, name));
  const sanitizers = "-fsanitize=fuzzer,address,undefined";
  await words(["clang", "-std=gnu17", "-g", "-O1", sanitizers, "-fno-sanitize-recover=all", "-o", target, ...paths]);
  const limits = [
    `-max_total_time=${seconds}`,
    "-max_len=65536",
    "-rss_limit_mb=512",
    "-timeout=5",
    "-print_final_stats=1",
  ];
  return words([target, ...limits, `-artifact_prefix=${directory}/`, corpus]);
}

/** What a program says on standard error; throws it when the program fails. */
async function words(command: readonly string[]): Promise<string> {
  const program = Bun.spawn([...command], { stdout: "ignore", stderr: "pipe" });
  const said = await new Response(program.stderr).text();
  if ((await program.exited) !== 0) throw new Error(`${command[0]}:\n${said.slice(-8000)}`);
  return said;
}

if (import.meta.main) process.stderr.write(await fuzzNative(Number(process.argv[2] ?? 60)));
