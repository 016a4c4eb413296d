/** The programs of docs/embedding.md and README.md, run from the npm package by Node and by Bun, print what the documents say. */

import { expect } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { kernelTest } from "../kernel/harness.ts";
import { installPackage } from "../packed-package.ts";
import { Product, runProgram } from "../product.ts";

const repository = join(import.meta.dir, "../..");
const documents = ["docs/embedding.md", "README.md"]
  .map((file) => readFileSync(join(repository, file), "utf8"))
  .join("\n");
const programs = [...documents.matchAll(/```js\n([\s\S]*?)```\n(?:\nprints\n\n```\n([\s\S]*?)```)?/g)].map(
  ([, source = "", output = ""]) => ({ source, output }),
);

/** The program, talking to an engine in folders of its own, not to the machine's. */
function withOwnFolders(source: string, folders: { runDir: string; stateDir: string }): string {
  const own = JSON.stringify(folders).slice(1, -1);
  return source
    .replace("openOrlop()", `openOrlop({ ${own} })`)
    .replace("openOrlop({ onMessage", `openOrlop({ ${own}, onMessage`);
}

kernelTest(
  "the programs of docs/embedding.md and README.md print what is said there, in Node and in Bun",
  ["root", "product", "overlay", "node"],
  async ({ directory, defer }) => {
    expect(programs).toHaveLength(3);
    const place = installPackage(directory);
    const product = new Product(directory, { program: join(place, "orlop") });
    defer(() => product.stop());
    const { runDir, stateDir } = product;
    for (const [number, { source, output }] of programs.entries()) {
      const own = withOwnFolders(source, { runDir, stateDir });
      expect(own).toContain(runDir);
      const file = join(directory, `program-${number}.mjs`);
      writeFileSync(file, own);
      for (const runtime of ["node", process.execPath]) {
        const { exitCode, stdout, stderr } = await runProgram([runtime, file]);
        if (exitCode !== 0) throw new Error(`${runtime}, program ${number}: exit code ${exitCode}: ${stderr}`);
        // The two differ in how console.log breaks an object's lines.
        const words = (text: string) => text.replace(/["']/g, "'").replace(/,?\s+/g, " ").trim();
        expect([runtime, words(stdout)]).toEqual([runtime, words(output)]);
      }
    }
  },
  300_000,
);

kernelTest("the package's types hold in a strict program that has no others", ["node"], async ({ directory }) => {
  installPackage(directory);
  const program = `import { openOrlop, type ContainerOptions, type Finished, OrlopError } from "orlop";
const options: ContainerOptions = { image: "host", command: ["true"] };
const orlop = await openOrlop();
const finished: Finished = await orlop.run({ ...options, signal: AbortSignal.timeout(1000) });
const code: number = finished.exitCode;
for await (const { stream, bytes } of (await orlop.create(options)).logs({ since: new Date() })) {
  const name: "stdout" | "stderr" = stream;
  const size: number = bytes.length;
  void [name, size];
}
const networks: readonly { readonly Name: string }[] = await orlop.client.networks.list();
// @ts-expect-error: a unit is in the name
await orlop.run({ image: "host", memory: 5 });
export { code, networks, OrlopError };
`;
  writeFileSync(join(directory, "program.mts"), program);
  const words = [
    "--ignoreConfig",
    "--noEmit",
    "--strict",
    "--exactOptionalPropertyTypes",
    "--noUncheckedIndexedAccess",
  ];
  const forNode = [
    "--module",
    "nodenext",
    "--target",
    "es2022",
    "--lib",
    "es2022,dom,esnext.disposable",
    "--types",
    "",
  ];
  const { exitCode, stdout } = await runProgram([
    join(repository, "node_modules/.bin/tsc"),
    ...words,
    ...forNode,
    join(directory, "program.mts"),
  ]);
  expect([exitCode, stdout]).toEqual([0, ""]);
});
