import { expect, test } from "bun:test";
import { pruneChoiceOf } from "./prune-filters.ts";

const now = 1_700_000_000_000;

test.each([
  [{}, undefined],
  [{ until: ["10m"] }, now - 600_000],
  [{ until: ["1600000000"] }, 1_600_000_000_000],
  [{ until: ["2020-01-01T00:00:00Z"] }, Date.UTC(2020, 0, 1)],
])("%j is until %p", (filters, untilMs) => {
  expect(pruneChoiceOf(filters, now).untilMs).toBe(untilMs);
});

test.each([[{ until: ["yesterday"] }], [{ until: ["1h", "2h"] }]])("%j is refused", (filters) => {
  expect(() => pruneChoiceOf(filters, now)).toThrow("invalid until filter");
});

test.each([
  [{}, true],
  [{ label: ["a"] }, true],
  [{ label: ["a=1"] }, true],
  [{ label: ["a=2"] }, false],
  [{ label: ["a", "b"] }, false],
  [{ "label!": ["b"] }, true],
  [{ "label!": ["a=2"] }, true],
  [{ "label!": ["a"] }, false],
  [{ label: ["toString"] }, false],
  [{ label: ["__proto__=x"] }, false],
])("%j chooses what has the label a=1: %p", (filters, chosen) => {
  expect(pruneChoiceOf(filters, now).hasLabels({ a: "1" })).toBe(chosen);
});
