/**
 * Fuzzes what C reads of others' bytes: bun scripts/fuzz-native.ts [SECONDS, default 60] [plan|dns]. Needs clang and
 * libclang-rt-14-dev. Starts from real input; a crash is written beside the corpus, and its path printed.
 */

import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encodePlan } from "../src/kernel/plan.ts";
import { type Step, type StepName, stepTable } from "../src/kernel/step.ts";

const root = join(import.meta.dir, "..");
const directory = join(root, ".cache/fuzz");

/** native/fuzz/NAME.c, and what it starts from: name → bytes. */
const targets = { plan: planSeeds, dns: dnsSeeds } as const satisfies Record<string, () => Record<string, Uint8Array>>;
export type FuzzTarget = keyof typeof targets;

/** A value of each kind of argument. */
const sampleOf = { s: "/path", n: 7n, b: Uint8Array.of(1, 0, 255), l: ["one", "", "three"] };

/** One plan with every step: so each signature is in the corpus. */
export function everyStep(): Step[] {
  return (Object.keys(stepTable) as StepName[]).map((op) => {
    const values = Object.entries(stepTable[op]).map(([name, kind]) => [name, sampleOf[kind as keyof typeof sampleOf]]);
    return { op, why: "a seed", ...Object.fromEntries(values) } as unknown as Step;
  });
}

function planSeeds(): Record<string, Uint8Array> {
  const steps = everyStep();
  return { "every-step": encodePlan(steps), ...Object.fromEntries(steps.map((step) => [step.op, encodePlan([step])])) };
}

/** Questions as clients send them, one with EDNS, one malformed. */
function dnsSeeds(): Record<string, Uint8Array> {
  const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(" ", ""), "hex"));
  return {
    a: hex("1234 0100 0001 0000 0000 0000 03776562 036e6574 00 0001 0001"),
    edns: hex("1234 0100 0001 0000 0000 0001 03776562 00 001c 0001 00 0029 1000 00000000 0000"),
    ptr: hex("1234 0100 0001 0000 0000 0000 0135 0130 0130 023130 07696e2d61646472 0461727061 00 000c 0001"),
    compressed: hex("1234 0100 0001 0000 0000 0000 c00c 0001 0001"),
  };
}

/** Builds the target and fuzzes for this long. Throws with libFuzzer's own words when it found something. */
export async function fuzzNative(seconds: number, name: FuzzTarget = "plan"): Promise<string> {
  // Without the bounds of what it decodes: test/seeded wants to see them missed.
  const isSeeded = process.env["ORLOP_SEEDED_FAULT"] === "fuzz.bounds";
  const target = join(directory, isSeeded ? `${name}-seeded` : name);
  const corpus = join(directory, name === "plan" ? "corpus" : `corpus-${name}`);
  mkdirSync(corpus, { recursive: true });
  for (const [seed, bytes] of Object.entries(targets[name]())) writeFileSync(join(corpus, seed), bytes);
  const native = join(root, "native");
  const sources = readdirSync(native).filter((file) => file.endsWith(".c") && file !== "main.c");
  const paths = [...sources, `fuzz/${name}.c`].map((file) => join(native, file));
  const seeds = isSeeded ? ["-DORLOP_SEEDED_BOUNDS"] : [];
  const sanitizers = "-fsanitize=fuzzer,address,undefined";
  await words([
    "clang",
    "-std=gnu17",
    "-g",
    "-O1",
    sanitizers,
    "-fno-sanitize-recover=all",
    ...seeds,
    "-o",
    target,
    ...paths,
  ]);
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

if (import.meta.main) {
  const [seconds = "60", name = "plan"] = process.argv.slice(2);
  process.stderr.write(await fuzzNative(Number(seconds), name as FuzzTarget));
}
