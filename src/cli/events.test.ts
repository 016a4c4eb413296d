import { expect, test } from "bun:test";
import { formatEvent } from "./events.ts";

test("an event is shown with its exact time and its attributes in order", () => {
  const line =
    '{"Type":"container","Action":"die","Actor":{"ID":"abc","Attributes":{"name":"web","exitCode":"3"}},"time":1795475174,"timeNano":1795475174174630001}';
  expect(formatEvent(line)).toBe("2026-11-23T23:06:14.174630001Z container die abc (exitCode=3, name=web)");
});

test("one without attributes has no brackets", () => {
  const line = '{"Type":"daemon","Action":"reload","Actor":{"ID":"x","Attributes":null},"timeNano":1000000000}';
  expect(formatEvent(line)).toBe("1970-01-01T00:00:01.000000000Z daemon reload x");
});
