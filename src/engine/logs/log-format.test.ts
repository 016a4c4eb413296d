import { expect, test } from "bun:test";
import { formatTimeNs } from "./log-format.ts";

test.each([
  [0n, "1970-01-01T00:00:00.000000000Z"],
  [1_500_000_001n, "1970-01-01T00:00:01.500000001Z"],
  [-1n, "1969-12-31T23:59:59.999999999Z"],
  [-1_000_000_000n, "1969-12-31T23:59:59.000000000Z"],
  [2n ** 63n - 1n, "2262-04-11T23:47:16.854775807Z"],
  [-(2n ** 63n), "1677-09-21T00:12:43.145224192Z"],
])("%p ns is %p", (ns, text) => expect(formatTimeNs(ns)).toBe(text));
