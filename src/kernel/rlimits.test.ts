import { describe, expect, test } from "bun:test";
import { rlimitName, rlimitNumber, rlimitOfUlimit } from "./rlimits.ts";

describe("resource limits", () => {
  test.each([
    // asm-generic/resource.h
    ["RLIMIT_CPU", 0],
    ["RLIMIT_CORE", 4],
    ["RLIMIT_NPROC", 6],
    ["RLIMIT_NOFILE", 7],
    ["RLIMIT_MEMLOCK", 8],
    ["RLIMIT_AS", 9],
    ["RLIMIT_RTTIME", 15],
  ])("%s is %d", (name, number) => {
    expect(rlimitNumber(name)).toBe(number);
    expect(rlimitName(number)).toBe(name);
  });

  test.each(["", "NOFILE", "rlimit_nofile", "RLIMIT_FOO", "RLIMIT_nofile"])("%j is refused", (name) => {
    expect(() => rlimitNumber(name)).toThrow(`invalid resource limit ${JSON.stringify(name)}: expected RLIMIT_`);
  });
});

describe("Docker's limits", () => {
  test.each([
    [
      { Name: "nofile", Soft: 1024, Hard: 2048 },
      { type: "RLIMIT_NOFILE", soft: 1024, hard: 2048 },
    ],
    [
      { Name: "core", Soft: 0, Hard: 0 },
      { type: "RLIMIT_CORE", soft: 0, hard: 0 },
    ],
    [
      { Name: "memlock", Soft: -1, Hard: -1 },
      { type: "RLIMIT_MEMLOCK", soft: -1, hard: -1 },
    ],
    [
      { Name: "nproc", Soft: 5, Hard: -1 },
      { type: "RLIMIT_NPROC", soft: 5, hard: -1 },
    ],
  ])("%j", (given, expected) => {
    expect(rlimitOfUlimit(given)).toEqual(expected);
  });

  test.each([
    [{ Name: "files", Soft: 1, Hard: 1 }, 'invalid ulimit "files": expected one of cpu, fsize'],
    [{ Name: "NOFILE", Soft: 1, Hard: 1 }, 'invalid ulimit "NOFILE"'],
    [
      { Name: "nofile", Soft: 3, Hard: 2 },
      'invalid ulimit "nofile=3:2": expected a soft limit of at most the hard one',
    ],
    [{ Name: "nofile", Soft: -1, Hard: 2 }, 'invalid ulimit "nofile=-1:2"'],
    [{ Name: "nofile", Soft: -2, Hard: 2 }, 'invalid ulimit "nofile=-2:2"'],
    [{ Name: "nofile", Soft: 0.5, Hard: 2 }, 'invalid ulimit "nofile=0.5:2"'],
  ])("%j is refused", (given, message) => {
    expect(() => rlimitOfUlimit(given)).toThrow(message);
  });
});
