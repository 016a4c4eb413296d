/** Who may import whom (ARCHITECTURE.md, "Folders"), and which few files may start processes, serve, or write files. */

import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

const fed = ["base", "spec", "kernel", "store", "platform"] as const;
const parts = ["runtime", "images", "storage", "network"] as const;

/** Folder → the folders it may import. Its own is always allowed; main.ts, which wires all of them, may import everything. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  base: [],
  spec: ["base"],
  platform: ["base"],
  kernel: ["base", "platform"],
  store: ["base", "platform"],
  runtime: fed,
  images: fed,
  storage: fed,
  network: fed,
  engine: [...fed, ...parts],
  api: ["engine", "spec", "base", "platform"],
  client: ["base", "spec"],
  library: ["client", "base", "spec"],
  command: ["base"],
  doctor: ["kernel", "base"],
  cli: ["client", "command", "base", "spec", "doctor"],
};

/** Files directly in src/: the composition root alone. */
const roots = ["main.ts"];

interface UseRule {
  readonly what: string;
  /** Where it counts as used. */
  readonly pattern: RegExp;
  /** The files that may. */
  readonly allowed: RegExp;
}

const useRules: readonly UseRule[] = [
  {
    what: "starts processes",
    pattern: /"node:child_process"|\bBun\.(spawn|spawnSync|\$)|from "bun"/,
    // credential helpers run in the client, as the user; systemctl for the commands of `orlop service`; a program's engine by `orlop`
    allowed: /^(kernel\/|client\/(launch|credential-helper|systemctl)\.ts$|library\/start-engine\.ts$)/,
  },
  {
    what: "serves",
    pattern: /\b(Bun\.(serve|listen)|createServer|createSecureServer)\b/,
    allowed: /^api\//,
  },
  {
    what: "depends on Bun",
    pattern: /\bBun\.|from "bun(:[a-z]+)?"/,
    allowed: /^(?!client\/|library\/|spec\/)/, // these are plain ESM on node: APIs, so that they run anywhere
  },
  {
    what: "writes files",
    pattern:
      /\b(writeFile|writeFileSync|appendFile|appendFileSync|createWriteStream|mkdir|mkdirSync|mkdtemp|mkdtempSync|rename|renameSync|rm|rmSync|rmdir|rmdirSync|unlink|unlinkSync|symlink|symlinkSync|truncate|truncateSync|chmod|chmodSync|chown|chownSync|copyFile|copyFileSync|cp|cpSync)\b[^;]*\bfrom "node:fs(\/promises)?"|\bBun\.write\b/,
    // state folders belong to the others; the user's own configuration to the client
    allowed: /^(?!base\/|spec\/|kernel\/|api\/|command\/|doctor\/|client\/(?!docker-config\.ts$))/,
  },
];

/** Everything that this source imports, types and dynamic imports included. */
function importsOf(source: string): string[] {
  const pattern =
    /^\s*(?:import|export)\b[^;"]*?\bfrom\s*"([^"]+)"|^\s*import\s*"([^"]+)"|\bimport\(\s*"([^"]+)"\s*\)/gm;
  return [...source.matchAll(pattern)].map((match) => match[1] ?? match[2] ?? match[3] ?? "");
}

const folderOf = (file: string): string => (file.includes("/") ? file.slice(0, file.indexOf("/")) : "");

/** What this file, named from src/, does against the rules. */
function violationsOf(file: string, source: string): string[] {
  const folder = folderOf(file);
  if (folder === "") return roots.includes(file) ? [] : [`${file}: only ${roots.join(", ")} may stand in src/ itself`];
  const allowed = mayImport[folder];
  if (allowed === undefined) return [`${file}: the folder ${folder}/ has no row in the import table`];
  const code = withoutComments(source);
  const crossed = importsOf(code)
    .filter((name) => name.startsWith("."))
    .map((name) => normalize(join(dirname(file), name)))
    .filter((target) => folderOf(target) !== folder && !allowed.includes(folderOf(target)))
    .map((target) => `${file}: ${folder}/ must not import ${target}`);
  const misused = useRules
    .filter((rule) => rule.pattern.test(code) && !rule.allowed.test(file))
    .map((rule) => `${file}: ${rule.what}, which is not for ${folder}/`);
  return [...crossed, ...misused];
}

function withoutComments(source: string): string {
  return source.replace(/\/\*[\s\S]*?\*\/|(?<![:"'`])\/\/.*$/gm, "");
}

/** The product's own sources; tests may do what they like. */
function sources(): string[] {
  return readdirSync(import.meta.dir, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"))
    .sort();
}

test.each(sources())("%s keeps to its place", (file) => {
  expect(violationsOf(file, readFileSync(join(import.meta.dir, file), "utf8"))).toEqual([]);
});

describe("the checker notices", () => {
  test.each([
    // in                     says                                                                what it is
    ["spec/tar.ts", 'import { x } from "../kernel/step.ts";', "a folder above"],
    ["images/pull.ts", 'import type { Plan } from "../runtime/plan.ts";', "a sibling's type"],
    ["api/route.ts", 'import {\n  a,\n  b,\n} from "../store/open.ts";', "an import over several lines"],
    ["client/a.ts", 'const late = await import("../platform/sqlite.ts");', "a dynamic import"],
    ["client/a.ts", 'export { x } from "../engine/a.ts";', "a re-export"],
    ["engine/a.ts", 'import { spawn } from "node:child_process";', "a process started outside kernel/"],
    ["engine/a.ts", 'Bun.spawn(["true"]);', "Bun.spawn outside kernel/"],
    ["engine/a.ts", "createServer();", "a server outside api/"],
    ["client/a.ts", 'Bun.file("x");', "Bun in client/"],
    ["spec/a.ts", 'import { readFileSync, writeFileSync } from "node:fs";', "a written file in spec/"],
    ["newfolder/a.ts", "", "a folder without a row"],
    ["loose.ts", "", "a loose file"],
  ])("%s: %p (%s)", (file, source) => {
    expect(violationsOf(file, source)).toHaveLength(1);
  });

  test("and lets through what is allowed", () => {
    const source = [
      'import { spawn } from "node:child_process"; // Bun.serve',
      'import { OrlopError } from "../base/errors.ts";',
      'import type { Step } from "./step.ts";',
      "/** createServer in a comment */",
    ];
    expect(violationsOf("kernel/a.ts", source.join("\n"))).toEqual([]);
  });
});
