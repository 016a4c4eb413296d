/** Builds the executor: dist/orlop-executor, and dist/test/orlop-executor with step points. Needs gcc and a static libc. */

import { mkdirSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dir, "..");
const sourceDirectory = join(root, "native");

/** Warnings are errors: this program runs as root. */
const compilerFlags = [
  "-std=gnu17",
  "-O2",
  "-Wall",
  "-Wextra",
  "-Wconversion",
  "-Werror",
  "-fPIE",
  "-D_FORTIFY_SOURCE=2",
];
const linkerFlags = ["-static-pie", "-Wl,-z,relro,-z,now", "-Wl,--build-id=none", "-s"];

export interface NativeBuild {
  readonly output: string;
  readonly defines: readonly string[];
}

/** What users get, and what tests run. */
export const nativeBuilds = {
  release: { output: join(root, "dist/orlop-executor"), defines: [] },
  test: { output: join(root, "dist/test/orlop-executor"), defines: ["-DORLOP_POINTS"] },
} as const satisfies Record<string, NativeBuild>;

/** Compiles the executor unless it is newer than all of its sources. Throws with gcc's own words. */
export async function buildNative(build: NativeBuild): Promise<void> {
  const files = readdirSync(sourceDirectory).filter((name) => /\.[ch]$/.test(name));
  const paths = files.map((name) => join(sourceDirectory, name));
  if (isNewer(build.output, [...paths, import.meta.path])) return;
  mkdirSync(join(build.output, ".."), { recursive: true });
  const sources = paths.filter((path) => path.endsWith(".c"));
  const objectDirectory = join(root, ".cache/native", build.defines.join("") || "release");
  mkdirSync(objectDirectory, { recursive: true });
  const headers = paths.filter((path) => path.endsWith(".h"));
  const objects = await inPairs(sources, async (source) => {
    const object = join(objectDirectory, `${source.slice(sourceDirectory.length + 1, -2)}.o`);
    if (!isNewer(object, [source, ...headers, import.meta.path]))
      await gcc([...compilerFlags, ...build.defines, "-c", source, "-o", object]);
    return object;
  });
  await gcc([...linkerFlags, "-o", `${build.output}.new`, ...objects]);
  // by rename: an executor that runs from this file goes on with what it has
  await Bun.$`mv ${build.output}.new ${build.output}`.quiet();
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

if (import.meta.main) for (const build of Object.values(nativeBuilds)) await buildNative(build);
