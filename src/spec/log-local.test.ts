import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { encodeLocalRecord, LocalDecoder } from "./log-local.ts";
import type { LogRecord } from "./log-record.ts";

/** What docker 20.10 wrote when a container's cat was fed sample.bin. */
const golden = join(import.meta.dir, "../../test/golden/log");
const docker = readFileSync(join(golden, "docker.local"));
const sample = readFileSync(join(golden, "sample.bin"));

const one: LogRecord = { stream: "stderr", timeNs: 1n, line: Buffer.from("a"), ended: true };

test("Docker's own file holds the bytes that were written", () => {
  const records = new LocalDecoder().push(docker);
  const bytes = records.map((record) => Buffer.concat([record.line, Buffer.from(record.ended ? "\n" : "")]));
  expect(Buffer.concat(bytes).equals(sample)).toBe(true);
  expect(
    records.filter((record) => record.piece !== undefined).map(({ ended, piece }) => [ended, piece?.ordinal]),
  ).toEqual([
    [false, 1],
    [true, 2],
    [false, 1],
  ]);
});

test("Docker's own file is written again byte for byte", () => {
  const again = new LocalDecoder().push(docker).map(encodeLocalRecord);
  expect(Buffer.concat(again).equals(docker)).toBe(true);
});

test("a file is read alike in one piece and byte by byte", () => {
  const decoder = new LocalDecoder();
  const pieces = Array.from(docker, (_, at) => decoder.push(docker.subarray(at, at + 1))).flat();
  expect(pieces).toEqual(new LocalDecoder().push(docker));
  expect(decoder.pendingBytes).toBe(0);
});

test("a record is written as protobuf says", () => {
  const written = Buffer.from(encodeLocalRecord(one)).toString("hex");
  expect(written).toBe(`0000000d${"0a06737464657272"}${"1001"}${"1a0161"}0000000d`);
});

test("half a record at the end stays pending", () => {
  const decoder = new LocalDecoder();
  const bytes = encodeLocalRecord(one);
  expect(decoder.push(Buffer.concat([bytes, bytes.subarray(0, 9)]))).toEqual([one]);
  expect(decoder.pendingBytes).toBe(9);
});

test("an entry that is no LogEntry is passed over and counted", () => {
  const decoder = new LocalDecoder();
  const nonsense = Buffer.from("00000002ffff00000002", "hex");
  expect(decoder.push(Buffer.concat([nonsense, encodeLocalRecord(one)]))).toEqual([one]);
  expect(decoder.skipped).toBe(1);
});

test.each([
  ["a size over the limit", "7fffffff00"],
  ["two sizes that differ", "000000010000000002"],
])("after %s the rest of the file is passed over", (_, bytes) => {
  const decoder = new LocalDecoder();
  expect(decoder.push(Buffer.from(bytes, "hex"))).toEqual([]);
  expect(decoder.push(encodeLocalRecord(one))).toEqual([]);
  expect(decoder.skipped).toBe(1);
  expect(decoder.pendingBytes).toBe(0);
});
