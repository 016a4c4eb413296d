/** Every file that a document or a comment names is there. */

import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

const root = join(import.meta.dir, "..");
const find = (pattern: string): string[] =>
  [...new Bun.Glob(pattern).scanSync(root)].filter((file) => !/^(node_modules|dist)\//.test(file)).sort();

const documents = [...find("*.md"), ...find("{docs,src,native,test,bench,scripts}/**/*.md")];
const sources = find("{src,native,test,bench,scripts}/**/*.{ts,c,h,sh}");
const names = new Set([...documents, ...sources].map((file) => basename(file)));

/** Written in full, in a document or in a comment. */
const pathPattern = /(?<![\w/.-])((?:src|test|native|bench|scripts|docs)\/[\w./-]+\.(?:ts|c|h|md))\b/g;
/** `name.ts` or `folder/name.ts` in a document, which is mostly about its own folder. */
const namePattern = /`([\w./-]+\.(?:ts|c|h))`/g;
const linkPattern = /\]\(([^)#:\s]+)(?:#[^)]*)?\)/g;

function named(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map(([, name = ""]) => name);
}

/** What this file names and nobody has. */
function missingIn(file: string, text: string): string[] {
  const paths = named(text, pathPattern).filter((path) => !/NAME/.test(path) && !existsSync(join(root, path)));
  if (!file.endsWith(".md")) return paths;
  const loose = named(text, namePattern).filter((name) => !names.has(basename(name)));
  const links = named(text, linkPattern).filter((link) => !existsSync(join(root, dirname(file), link)));
  return [...paths, ...loose, ...links];
}

test.each(documents)("%s", (file) => {
  expect(missingIn(file, readFileSync(join(root, file), "utf8"))).toEqual([]);
});

test("comments", () => {
  const missing = sources.flatMap((file) =>
    missingIn(file, readFileSync(join(root, file), "utf8")).map((path) => `${file}: ${path}`),
  );
  expect(missing).toEqual([]);
});

test("what is not there is noticed", () => {
  const text = `\`${"src"}/no/such.ts\`, \`no-such-file.ts\`, [a link](no-such.md), \`main.ts\`, [one](README.md)`;
  expect(missingIn("ARCHITECTURE.md", text)).toEqual([
    `${"src"}/no/such.ts`,
    `${"src"}/no/such.ts`,
    "no-such-file.ts",
    "no-such.md",
  ]);
});

test("README.md begins with the two commands that bench/first-minutes.ts types as a newcomer", () => {
  const [first, second] = named(readFileSync(join(root, "README.md"), "utf8"), /^```sh\n([^`]*)\n```$/gm);
  expect([first, second]).toEqual(["./orlop run --rm -it host bash", "npm test"]);
});
