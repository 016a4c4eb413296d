/** Builds the executor in its three forms. Needs gcc and a static libc. */

import { mkdirSync, readdirSync, readFileSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dir, "..");
const sourceDirectory = join(root, "native");

/** Warnings are errors: this program runs as root. */
const warningFlags = ["-std=gnu17", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-fPIE"];
/** Aligned as the kernel maps pages around a fault (64 KiB): a waiting monitor has the same few wherever it is loaded. */
const linkerFlags = ["-static-pie", "-Wl,-z,relro,-z,now", "-Wl,-z,max-page-size=0x10000", "-Wl,--build-id=none", "-s"];

export interface NativeBuild {
  readonly output: string;
  readonly compilerFlags: readonly string[];
  readonly linkerFlags: readonly string[];
}

const sanitizers = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"];

/** What users get, what tests run, and the same under ASan and UBSan: run kernel tests on it with ORLOP_EXECUTOR. */
export const nativeBuilds = {
  release: { output: join(root, "dist/orlop-executor"), compilerFlags: ["-O2", "-D_FORTIFY_SOURCE=2"], linkerFlags },
  test: {
    output: join(root, "dist/test/orlop-executor"),
    compilerFlags: ["-O2", "-D_FORTIFY_SOURCE=2", "-DORLOP_POINTS"],
    linkerFlags,
  },
  sanitized: {
    output: join(root, "dist/sanitized/orlop-executor"),
    compilerFlags: ["-O1", "-g", "-DORLOP_POINTS", ...sanitizers],
    linkerFlags: ["-pie", ...sanitizers], // ASan has no static form
  },
} as const satisfies Record<string, NativeBuild>;

/** Which executor this is: a hash of what it is made of. The engine takes no other one's supervisor for its own. */
export function nameOfNative(build: NativeBuild): string {
  const hash = new Bun.CryptoHasher("sha256").update(build.compilerFlags.join(" "));
  for (const name of nativeFiles()) hash.update(`\0${name}\0`).update(readFileSync(join(sourceDirectory, name)));
  return hash.digest("hex").slice(0, 32);
}

function nativeFiles(): string[] {
  return readdirSync(sourceDirectory)
    .filter((name) => /\.[ch]$/.test(name))
    .sort();
}

/** Compiles the executor unless it is newer than all of its sources. Throws with gcc's own words. */
export async function buildNative(build: NativeBuild): Promise<void> {
  const paths = nativeFiles().map((name) => join(sourceDirectory, name));
  if (isNewer(build.output, [...paths, import.meta.path])) return;
  mkdirSync(join(build.output, ".."), { recursive: true });
  const sources = paths.filter((path) => path.endsWith(".c"));
  const objectDirectory = join(root, ".cache/native", build.output.split("/").at(-2) ?? "");
  mkdirSync(objectDirectory, { recursive: true });
  const headers = paths.filter((path) => path.endsWith(".h"));
  const objects = await inPairs(sources, async (source) => {
    const object = join(objectDirectory, `${source.slice(sourceDirectory.length + 1, -2)}.o`);
    const isNamed = source.endsWith("/supervisor.c"); // it has the name of the whole
    const named = isNamed ? [`-DORLOP_NATIVE="${nameOfNative(build)}"`] : [];
    if (isNamed || !isNewer(object, [source, ...headers, import.meta.path]))
      await gcc([...warningFlags, ...build.compilerFlags, ...named, "-c", source, "-o", object]);
    return object;
  });
  await gcc([...build.linkerFlags, "-o", `${build.output}.new`, ...objects]);
  // by rename: an executor that runs from this file goes on with what it has
  await Bun.$`mv ${build.output}.new ${build.output}`.quiet();
}

/** The launcher has no C library (native/launcher/sys.h), so neither its start nor its guards. */
const launcherFlags = [
  ...["-O2", "-ffreestanding", "-fno-stack-protector", "-fno-asynchronous-unwind-tables", "-nostdlib", "-static-pie"],
  ...["-Wl,-z,relro,-z,now", "-Wl,--build-id=none", "-s"],
];

/** Compiles the program that people call. @param buildName  must be that of the program beside it */
export async function buildLauncher(output: string, buildName: string): Promise<void> {
  const directory = join(sourceDirectory, "launcher");
  const sources = readdirSync(directory)
    .filter((name) => name.endsWith(".c"))
    .map((name) => join(directory, name));
  mkdirSync(join(output, ".."), { recursive: true });
  const named = `-DORLOP_BUILD="${buildName}"`;
  await gcc([...warningFlags, ...launcherFlags, named, "-o", `${output}.new`, ...sources]);
  renameSync(`${output}.new`, output);
}

function isNewer(output: string, inputs: readonly string[]): boolean {
  const made = statSync(output, { throwIfNoEntry: false })?.mtimeMs;
  return made !== undefined && inputs.every((input) => statSync(input).mtimeMs < made);
}

/** Two compilers at a time: what a small machine has cores for. */
async function inPairs<A, B>(items: readonly A[], make: (item: A) => Promise<B>): Promise<B[]> {
  const made: B[] = [];
  for (let i = 0; i < items.length; i += 2) made.push(...(await Promise.all(items.slice(i, i + 2).map(make))));
  return made;
}

async function gcc(flags: readonly string[]): Promise<void> {
  const compiler = Bun.spawn(["gcc", ...flags], { stderr: "pipe" });
  const words = await new Response(compiler.stderr).text();
  if ((await compiler.exited) !== 0) throw new Error(`gcc ${flags.join(" ")}\n${words}`);
}

/** bun scripts/build-native.ts [release|test|sanitized …]: the first two unless told otherwise. */
if (import.meta.main) {
  const named = process.argv.slice(2) as (keyof typeof nativeBuilds)[];
  for (const name of named.length > 0 ? named : (["release", "test"] as const)) await buildNative(nativeBuilds[name]);
}
