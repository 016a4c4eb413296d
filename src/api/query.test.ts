/** Query parameters, as Docker's clients write them. */

import { expect, test } from "bun:test";
import { filters, flag, refused, unixTime, whole } from "./query.ts";

test.each([
  [undefined, false],
  ["", false],
  ["0", false],
  ["no", false],
  ["False", false],
  ["none", false],
  ["1", true],
  ["true", true],
  ["anything", true],
] as const)("flag %p is %p", (text, value) => {
  expect(flag(text, "all")).toBe(value);
});

test.each([
  [undefined, undefined],
  ["10", 10],
  ["-1", -1],
] as const)("number %p is %p", (text, value) => {
  expect(whole(text, "t")).toBe(value);
});

test.each([
  [undefined, undefined],
  ["0", undefined],
  ["1700000000", 1_700_000_000_000_000_000n],
  ["1700000000.000000001", 1_700_000_000_000_000_001n],
  ["1700000000.5", 1_700_000_000_500_000_000n],
] as const)("time %p is %p", (text, value) => {
  expect(unixTime(text, "since")).toBe(value);
});

test("filters come in a new way and an old one", () => {
  const parse = filters("status");
  expect(parse('{"status":["running","exited"]}', "filters")).toEqual({ status: ["running", "exited"] });
  expect(parse('{"status":{"running":true}}', "filters")).toEqual({ status: ["running"] });
  expect(parse(undefined, "filters")).toEqual({});
});

test.each([
  () => whole("ten", "t"),
  () => unixTime("yesterday", "since"),
  () => filters("status")("{", "filters"),
  () => filters("status")("[]", "filters"),
  () => filters("status")('{"status":[1]}', "filters"),
])("%p is refused", (parse) => {
  expect(parse).toThrow(/^invalid parameter/);
});

test("an unknown filter is refused in Docker's words", () => {
  expect(() => filters("status", "name")('{"shape":["round"]}', "filters")).toThrow(
    "invalid filter 'shape': expected status, name",
  );
});

test("what is not carried out is refused by name", () => {
  expect(refused("0", "size")).toBeUndefined();
  expect(() => refused("1", "size")).toThrow("the parameter size is not supported");
});
