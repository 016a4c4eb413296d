import { expect, test } from "bun:test";
import { LikelyKinds, parseReadyStarts } from "./likely-kinds.ts";

test("two that follow each other make a third likely; more and for longer, the longer it goes on", () => {
  const kinds = new LikelyKinds();
  const seen = [0, 5000, 10_000, 15_000, 20_000, 25_000, 30_000].map((nowMs) => {
    kinds.record("a", nowMs);
    return [kinds.likely("a"), kinds.keepMs("a")];
  });
  expect(seen).toEqual([
    [0, 0],
    [1, 1000],
    [2, 2000],
    [3, 3000],
    [4, 3000],
    [4, 3000],
    [4, 3000],
  ]);
});

test("one that comes later than that is the first again", () => {
  const kinds = new LikelyKinds();
  for (const nowMs of [0, 1, 5002]) kinds.record("a", nowMs);
  expect(kinds.likely("a")).toBe(0);
});

test("four kinds take turns; a fifth takes the place of the one that was seen longest ago", () => {
  const kinds = new LikelyKinds();
  const four = ["a", "b", "c", "d"];
  for (const kind of [...four, ...four]) kinds.record(kind, 0);
  expect(four.map((kind) => kinds.likely(kind))).toEqual([1, 1, 1, 1]);
  kinds.record("e", 0);
  expect(four.map((kind) => kinds.likely(kind))).toEqual([0, 1, 1, 1]);
  kinds.record("a", 0);
  expect(kinds.likely("a")).toBe(0);
});

test("how many, is said in the engine's environment", () => {
  expect([undefined, "", "0", "4"].map(parseReadyStarts)).toEqual([4, 4, 0, 4]);
  for (const text of ["5", "-1", "x"]) expect(() => parseReadyStarts(text)).toThrow("ORLOP_READY_STARTS");
  const none = new LikelyKinds(0);
  for (const nowMs of [0, 1, 2]) none.record("a", nowMs);
  expect(none.likely("a")).toBe(0);
});
