/** Builds dist/: the launcher that people call, the full program, the executor. `--test` builds the ones with step points, into dist/test. */

import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { buildLauncher, buildNative, nameOfNative, nativeBuilds } from "./build-native.ts";

const root = join(import.meta.dir, "..");

/**
 * Compiles src/main.ts to one executable. The flags are those of a program that runs as root in anybody's directory: a
 * bunfig.toml or .env that lies there must not be read.
 */
async function buildProgram(output: string, buildName: string, withPoints: boolean): Promise<void> {
  mkdirSync(join(output, ".."), { recursive: true });
  const words = [
    // Split, so that a command line loads neither the engine nor the other commands: 2 to 6 ms of its start.
    ...["build", "--compile", "--minify", "--bytecode", "--format=esm", "--splitting"],
    ...["--no-compile-autoload-bunfig", "--no-compile-autoload-dotenv"],
    ...["--define", `ORLOP_POINTS=${withPoints}`, "--define", `ORLOP_BUILD="${buildName}"`],
    ...["--define", `ORLOP_NATIVE="${nameOfNative(build)}"`],
    ...["--outfile", `${output}.new`],
    ...["src/main.ts", "src/store/durable-worker.ts", "src/images/unpack-worker.ts"],
  ];
  const child = Bun.spawn([process.execPath, ...words], { cwd: root, stdout: "pipe", stderr: "pipe" });
  const [said, complained, exitCode] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (exitCode !== 0) throw new Error(`bun build failed:\n${said}${complained}`);
  // By rename: an engine that runs from this file goes on with what it has.
  renameSync(`${output}.new`, output);
  rmSync(`${output}.new.jsc`, { force: true });
}

/** The same sources have the same name: launcher and engine know each other by it. */
function nameOfSources(withPoints: boolean): string {
  const hash = new Bun.CryptoHasher("sha256").update(`${Bun.version} ${withPoints}`);
  for (const directory of ["src", "native", "scripts"]) {
    const files = readdirSync(join(root, directory), { recursive: true, encoding: "utf8" }).sort();
    for (const file of files.filter((name) => /\.([ch]|ts)$/.test(name)))
      hash.update(`\0${directory}/${file}\0`).update(readFileSync(join(root, directory, file)));
  }
  return hash.digest("hex").slice(0, 32);
}

const withPoints = process.argv.includes("--test");
const build = withPoints ? nativeBuilds.test : nativeBuilds.release;
const buildName = nameOfSources(withPoints);
const beside = (name: string): string => join(build.output, "..", name);
await Promise.all([
  buildNative(build),
  buildProgram(beside("orlop-program"), buildName, withPoints),
  buildLauncher(beside("orlop"), buildName),
]);
