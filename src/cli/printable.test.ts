import { expect, test } from "bun:test";
import { formatTable } from "./format-table.ts";
import { printable, printableLine } from "./printable.ts";

test("what a terminal would obey is written out", () => {
  expect(printable("a\x1b[31m\r\u009b2J\x7f\tb\nc é")).toBe("a\\u001b[31m\\u000d\\u009b2J\\u007f\tb\nc é");
  expect(printableLine("a\nA /etc/shadow")).toBe("a\\u000aA /etc/shadow");
});

test("a cell of a table is part of one line", () => {
  expect(formatTable(["NAME", "BY"], [["x", "RUN\n\x1b]0;title\x07"]])).toBe(
    "NAME   BY\nx      RUN\\u000a\\u001b]0;title\\u0007\n",
  );
});

test("JSON stays the same value", () => {
  const value = { a: "\u009b\x7f\n\x1b" };
  expect(JSON.parse(printable(JSON.stringify(value, undefined, 2)))).toEqual(value);
});
