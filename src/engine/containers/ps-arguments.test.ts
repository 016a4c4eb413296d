/** ps's options, and what the columns say. */

import { expect, test } from "bun:test";
import type { ProcessFacts } from "../../kernel/process-facts.ts";
import { parseProcessFacts } from "../../kernel/process-facts.ts";
import { parsePsArguments, wordsForPs } from "./ps-arguments.ts";

const full = "UID PID PPID C STIME TTY TIME CMD";
const user = "USER PID %CPU %MEM VSZ RSS TTY STAT START TIME COMMAND";

test.each([
  ["-ef", full],
  ["-e -f", full],
  ["-fww", full],
  ["aux", user],
  ["u", user],
  ["", "PID TTY TIME CMD"],
  ["-e", "PID TTY TIME CMD"],
  ["ax", "PID TTY STAT TIME COMMAND"],
  ["-o pid,comm", "PID COMMAND"],
  ["-opid,comm", "PID COMMAND"],
  ["-eo pid -o args", "PID COMMAND"],
  ["o pid", "PID"],
  ["axo pid,rss", "PID RSS"],
  ["--format pid,user", "PID USER"],
  ["--format=pid,user=WHO", "PID WHO"],
])("%j shows %s", (text, titles) => {
  expect(
    parsePsArguments(text)
      ?.map(({ title }) => title)
      .join(" "),
  ).toBe(titles);
});

test.each(["-Z", "-p 1", "--sort=rss", "-eLf", "axjf", "-o pid,wchan", "-o pid,constructor", "-o"])(
  "%j is left to the machine's ps",
  (text) => {
    expect(parsePsArguments(text)).toBeUndefined();
  },
);

test("a list without PID is refused", () => {
  expect(() => parsePsArguments("-o comm")).toThrow("Couldn't find PID field in ps output");
});

test("a NUL byte is the request's fault", () => {
  expect(() => wordsForPs("-o \0")).toThrow("words without NUL bytes");
});

test("no other column is called PID", () => {
  expect(wordsForPs("-eo pid,wchan=WHERE --sort=rss")).toEqual(["-eo", "pid,wchan=WHERE", "--sort=rss"]);
  for (const text of ["-o ppid=PID,wchan", "-o pid,wchan -o ppid= PID"])
    expect(() => wordsForPs(text)).toThrow("another title than PID");
});

const stat = "7 (a (b) c) S 1 7 7 34817 9 4194304 1 0 0 0 250 50 0 0 20 0 3 0 1000 8192000 100 184467 1 1";
const facts = parseProcessFacts(
  stat,
  "Uid:\t5\t6\t6\t6\nGid:\t7\t8\t8\t8\nVmRSS:\t  400 kB\n",
  "a\0b c\0",
) as ProcessFacts;

test("a name with brackets and blanks does not shift the fields", () => {
  expect(facts).toMatchObject({ pid: 7, comm: "a (b) c", ppid: 1, startTicks: 1000, threads: 3, uid: 6, gid: 8 });
  expect(parseProcessFacts("", "", "")).toBeUndefined();
});

test.each([
  ["args", "a b c"],
  ["tname", "pts/1"],
  ["stat", "Ssl"],
  ["time", "00:00:03"],
  ["bsdtime", "0:03"],
  ["etime", "01:30"],
  ["c", "3"],
  ["pcpu", "3.3"],
  ["pmem", "0.4"],
  ["vsz", "8000"],
  ["rss", "400"],
  ["user", "6=?"],
])("column %s says %s", (name, says) => {
  const [, column] = parsePsArguments(`-o pid,${name}`) ?? [];
  const around = {
    nowMs: 100_000,
    bootMs: 0,
    memoryKib: 100_000,
    userName: (uid: number) => `${uid}=?`,
    groupName: String,
  };
  expect(column?.cell(facts, around)).toBe(says);
});
