/**
 * What our seccomp filter costs beside libseccomp's of the same decisions (as runc and crun would load it), and what it
 * costs to compile. `bun bench/seccomp.ts` prints a table for docs/benchmarks.md.
 *
 * Since Linux 5.11 a call that a filter always allows is found in a bitmap and runs no filter at all, whoever made it: what
 * differs is calls whose arguments are looked at, refused ones, and older kernels. ROUNDS and CALLS make it longer.
 */

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SECCOMP_RET_ALLOW } from "../src/kernel/seccomp/action.ts";
import { type ArchitectureName, architectures, syscallNumbers } from "../src/kernel/seccomp/architecture.ts";
import { compileSeccomp } from "../src/kernel/seccomp/compile.ts";
import { defaultSeccomp } from "../src/kernel/seccomp/default-profile.ts";
import { parseDockerSeccomp } from "../src/spec/docker-seccomp.ts";
import { loadProgram, runProgram } from "../test/conformance/seccomp/bpf-interpreter.ts";
import { forOracle, Oracle, oracleNeeds } from "../test/conformance/seccomp/oracle.ts";
import { describeMachine } from "./machine.ts";
import { figuresOf } from "./statistics.ts";

const rounds = Number(process.env["ROUNDS"] ?? 7);
const calls = Number(process.env["CALLS"] ?? 300_000);
const machine = process.arch === "arm64" ? "aarch64" : "x86_64";
const listed: readonly ArchitectureName[] = machine === "x86_64" ? ["x86_64", "x86", "x32"] : ["aarch64", "arm"];
const columns = ["allowed", "allowed by an argument", "refused", "allowed, int 0x80"];

const missing = oracleNeeds();
if (missing !== undefined) throw new Error(`this benchmark needs ${missing}`);

const capabilities = new Set(["CAP_SYS_CHROOT"]);
const ours = defaultSeccomp({ capabilities, arch: machine });
const reference = join(process.env["ORLOP_REFERENCE"] ?? "../shared/reference/data", "seccomp-default.json");
const docker = existsSync(reference)
  ? parseDockerSeccomp(readFileSync(reference, "utf8"), { capabilities, machine, kernel: { major: 6, minor: 1 } })
  : ours;

/** The mean number of instructions over every call that is allowed whatever its arguments, of the machine's own kind. */
function meanInstructions(bytes: Uint8Array): number {
  const program = loadProgram(bytes);
  const { auditArch } = architectures[machine];
  const costs = [...syscallNumbers(architectures[machine]).values()]
    .map((number) => runProgram(program, { number, auditArch, args: [] }))
    .filter(({ action }) => action === SECCOMP_RET_ALLOW)
    .map(({ instructions }) => instructions);
  return costs.reduce((sum, cost) => sum + cost, 0) / costs.length;
}

/** Milliseconds of the first compile in a process of its own, least of a few: what the engine's first container pays. */
function coldCompileMs(): number {
  const module = (path: string): string => JSON.stringify(join(import.meta.dir, "../src/kernel/seccomp", path));
  const script = `
    import { compileSeccomp } from ${module("compile.ts")};
    import { defaultSeccomp } from ${module("default-profile.ts")};
    const start = performance.now();
    compileSeccomp(defaultSeccomp({ capabilities: new Set(["CAP_SYS_CHROOT"]), arch: "${machine}" }), "${machine}");
    console.log(performance.now() - start);`;
  const times = Array.from({ length: rounds }, () =>
    Number(Bun.spawnSync([process.execPath, "-e", script]).stdout.toString()),
  );
  return figuresOf(times).min;
}

const directory = mkdtempSync(join(tmpdir(), "orlop-bench-"));
try {
  using oracle = new Oracle();
  const loop = join(directory, "loop");
  const { success, stderr } = Bun.spawnSync(["cc", "-O2", "-o", loop, join(import.meta.dir, "seccomp-loop.c")]);
  if (!success) throw new Error(`the loop does not compile: ${stderr}`);
  const programs = new Map<string, Uint8Array | undefined>([
    ["no filter", undefined],
    ["Orlop", compileSeccomp(ours, machine).program],
    ["libseccomp, Docker's profile", oracle.compile(forOracle(docker), listed)],
  ]);
  const files = [...programs].map(([name, bytes], at) => {
    const file = join(directory, String(at));
    if (bytes !== undefined) writeFileSync(file, bytes);
    return { name, file: bytes === undefined ? "-" : file, samples: columns.map((): number[] => []) };
  });
  for (let round = 0; round < rounds; round++)
    for (const { file, samples } of files) {
      const output = Bun.spawnSync([loop, file, String(calls)])
        .stdout.toString()
        .trim()
        .split("\n");
      for (const [at, line] of output.entries()) samples[at]?.push(Number(line));
    }
  console.log(`${describeMachine().join("\n")}\n`);
  console.log(`| ns per call, median of ${rounds} | ${columns.join(" | ")} | instructions | mean per allowed call |`);
  console.log(`|---|${columns.map(() => "---|").join("")}---|---|`);
  for (const { name, samples } of files) {
    const bytes = programs.get(name);
    const size = bytes === undefined ? ["", ""] : [String(bytes.length / 8), meanInstructions(bytes).toFixed(1)];
    console.log(`| ${[name, ...samples.map((values) => figuresOf(values).median.toFixed(0)), ...size].join(" | ")} |`);
  }
  console.log(`\nCompiling the default profile, first time in a process: ${coldCompileMs().toFixed(1)} ms`);
} finally {
  rmSync(directory, { recursive: true });
}
