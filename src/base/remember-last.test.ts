import { expect, test } from "bun:test";
import { rememberLast } from "./remember-last.ts";

test("the same question is answered once, another one anew; a failure is not remembered", () => {
  const asked: string[] = [];
  const lengthOf = rememberLast((text: string) => {
    asked.push(text);
    if (text === "") throw new Error("nothing");
    return text.length;
  });
  expect(["a", "a", "bc", "a"].map(lengthOf)).toEqual([1, 1, 2, 1]);
  expect(() => lengthOf("")).toThrow("nothing");
  expect(() => lengthOf("")).toThrow("nothing");
  expect(lengthOf("a")).toBe(1);
  expect(asked).toEqual(["a", "bc", "a", "", ""]);
});
