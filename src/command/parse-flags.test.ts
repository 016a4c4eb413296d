/** The conventions of Docker's command line. */
import { expect, test } from "bun:test";
import type { Flags } from "./flag.ts";
import { parseFlags } from "./parse-flags.ts";

const table = {
  interactive: { type: "switch", short: "i", help: "" },
  tty: { type: "switch", short: "t", help: "" },
  sigProxy: { type: "switch", default: true, help: "" },
  env: { type: "list", short: "e", help: "" },
  name: { type: "text", help: "" },
  signal: { type: "text", short: "s", default: "SIGKILL", help: "" },
  pull: { type: "text", choices: ["always", "never"], help: "" },
  memory: { type: "size", short: "m", help: "" },
  memorySwap: { type: "size", unlimited: true, help: "" },
  time: { type: "integer", min: -1, help: "" },
  weight: { type: "integer", min: 10, max: 1000, help: "" },
  since: { type: "duration", help: "" },
  publish: { type: "later", short: "p", takesValue: true, help: "" },
  oomKillDisable: { type: "later", takesValue: false, help: "" },
} as const satisfies Flags;

const untouched = parseFlags(table, [], "anywhere", "orlop run").flags;

test("flags that are not given have their defaults", () => {
  expect(untouched).toEqual({ interactive: false, tty: false, sigProxy: true, env: [], signal: "SIGKILL" } as never);
});

test.each([
  ["-it", { interactive: true, tty: true }],
  ["-i -t", { interactive: true, tty: true }],
  ["--interactive=true --tty=0", { interactive: true, tty: false }],
  ["-t=false", { tty: false }],
  ["--sig-proxy=false", { sigProxy: false }],
  ["-e A=b", { env: ["A=b"] }],
  ["-eA=b", { env: ["A=b"] }],
  ["-e=A=b", { env: ["A=b"] }],
  ["-ite A=b", { interactive: true, tty: true, env: ["A=b"] }],
  ["--env A=1 --env=B=2 -e C", { env: ["A=1", "B=2", "C"] }],
  ["--name=x", { name: "x" }],
  ["--name x", { name: "x" }],
  ["--name= ", { name: "" }],
  ["--name --tty", { name: "--tty" }],
  ["-m 64m", { memory: 67_108_864 }],
  ["-m64m", { memory: 67_108_864 }],
  ["--memory-swap -1", { memorySwap: -1 }],
  ["--time -1", { time: -1 }],
  ["--since 1m30s", { since: 90_000 }],
  ["--pull never", { pull: "never" }],
  ["-s HUP", { signal: "HUP" }],
  ["--oom-kill-disable=false", { oomKillDisable: false }],
])("%s", (line, expected) => {
  const words = line.split(" ").filter((word) => word !== "");
  expect(parseFlags(table, words, "anywhere", "orlop run").flags).toEqual({ ...untouched, ...expected } as never);
});

test("after the first argument every word is the container's, where flags stand before arguments", () => {
  const parsed = parseFlags(table, ["-i", "host", "ls", "-l", "--tty"], "before-arguments", "orlop run");
  expect(parsed.flags.tty).toBe(false);
  expect(parsed.args).toEqual(["host", "ls", "-l", "--tty"]);
});

test("flags may stand after arguments elsewhere, until --", () => {
  const parsed = parseFlags(table, ["web", "-t", "-", "--", "-i"], "anywhere", "orlop logs");
  expect(parsed.flags).toMatchObject({ tty: true, interactive: false });
  expect(parsed.args).toEqual(["web", "-", "-i"]);
});

test.each([
  ["--nmae x", "unknown flag --nmae: did you mean --name? see: orlop run --help"],
  ["--bad", "unknown flag --bad: see: orlop run --help"],
  ["--nothing-like-it", "unknown flag --nothing-like-it: see: orlop run --help"],
  ["-x", "unknown flag -x: see: orlop run --help"],
  ["-itx", "unknown flag -x (in -itx): see: orlop run --help"],
  ["-name x", "unknown flag -n (in -name): did you mean --name? see: orlop run --help"],
  ["--name", "--name needs a value: write --name TEXT"],
  ["-e", "-e needs a value: write -e LIST"],
  ["--tty=maybe", 'invalid --tty "maybe": expected true or false'],
  ["--pull often", 'invalid --pull "often": expected one of always, never'],
  ["-m lots", 'invalid -m "lots": expected bytes with an optional unit b, k, m, g or t, e.g. 512m'],
  ["--memory -1", 'invalid --memory "-1": expected bytes with an optional unit b, k, m, g or t, e.g. 512m'],
  ["--time 1.5", 'invalid --time "1.5": expected a whole number of at least -1'],
  ["--weight 5000", 'invalid --weight "5000": expected a whole number from 10 to 1000'],
  ["--since yesterday", 'invalid --since "yesterday": expected a duration with units h, m, s or ms, e.g. 1m30s'],
  ["-p 80:80", "-p is not supported: leave it out; docs/status.md lists what is missing"],
  ["--oom-kill-disable", "--oom-kill-disable is not supported: leave it out; docs/status.md lists what is missing"],
])("%s is refused in one line", (line, message) => {
  expect(() => parseFlags(table, line.split(" "), "anywhere", "orlop run")).toThrow(message);
});
