/** Sizes: what is read, what is refused, what is printed. */
import { expect, test } from "bun:test";
import { formatBinarySize, formatSize, parseSize } from "./size.ts";

test.each([
  ["0", 0],
  ["4096", 4096],
  ["64k", 65536],
  ["64K", 65536],
  ["64kb", 65536],
  ["64KiB", 65536],
  ["512m", 536_870_912],
  ["1.5g", 1_610_612_736],
  ["2t", 2_199_023_255_552],
  ["10 MB", 10_485_760],
])("%s is %d bytes", (text, sizeBytes) => {
  expect(parseSize(text, "--memory")).toBe(sizeBytes);
});

test.each(["", "m", "-1", "1x", "1mm", "1e3", "0x10", "99999999999t", "1 0", ".5g"])("%j is no size", (text) => {
  expect(() => parseSize(text, "--memory")).toThrow(`invalid --memory ${JSON.stringify(text)}`);
});

test.each([
  [0, "0B"],
  [999, "999B"],
  [1000, "1kB"],
  [1_234_567, "1.23MB"],
  [25_300_000_000, "25.3GB"],
])("%d bytes read as %s", (sizeBytes, text) => {
  expect(formatSize(sizeBytes)).toBe(text);
});

test.each([
  [0, "0B"],
  [1023, "1023B"],
  [1024, "1KiB"],
  [2_084_208_640, "1.941GiB"],
])("%d bytes of memory read as %s", (sizeBytes, text) => {
  expect(formatBinarySize(sizeBytes)).toBe(text);
});
