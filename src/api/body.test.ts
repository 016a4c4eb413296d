/** JSON of requests. */

import { expect, test } from "bun:test";
import { parseJson } from "./body.ts";

const parse = (text: string): unknown => parseJson(new TextEncoder().encode(text), "application/json");

test("a value may be nested as deep as Docker takes it, and no deeper", () => {
  expect(parse("[".repeat(10_000) + "]".repeat(10_000))).toBeArray();
  for (const [open, close] of [
    ["[", "]"],
    ['{"a":', "}"],
  ])
    expect(() => parse(`${open?.repeat(10_001)}1${close?.repeat(10_001)}`)).toThrow("nested over 10000 deep");
});

test("brackets in texts are no nesting", () => {
  const text = `${"[".repeat(20_000)}\\"${"{".repeat(20_000)}\\`;
  expect(parse(JSON.stringify([text, "]"]))).toEqual([text, "]"]);
});
