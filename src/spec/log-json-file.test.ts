import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { encodeJsonFileRecord, JsonFileDecoder } from "./log-json-file.ts";
import type { LogRecord } from "./log-record.ts";

/** What docker 20.10 wrote when a container's cat was fed sample.bin. */
const golden = join(import.meta.dir, "../../test/golden/log");
const docker = readFileSync(join(golden, "docker.json-file"));
const sample = readFileSync(join(golden, "sample.bin"));

function record(line: Uint8Array | string, more: Partial<LogRecord> = {}): LogRecord {
  const bytes = typeof line === "string" ? new TextEncoder().encode(line) : line;
  return { stream: "stdout", timeNs: 1_000_000_000n, line: bytes, ended: true, ...more };
}

/** Lines as Docker cuts them: at a newline, and after 16 KiB without one. */
function cut(bytes: Uint8Array): { line: Uint8Array; ended: boolean }[] {
  const lines: { line: Uint8Array; ended: boolean }[] = [];
  for (let at = 0; at < bytes.length; ) {
    const newline = bytes.indexOf(0x0a, at);
    const ended = newline >= 0 && newline - at < 16384;
    const end = ended ? newline : Math.min(at + 16384, bytes.length);
    lines.push({ line: bytes.subarray(at, end), ended });
    at = ended ? end + 1 : end;
  }
  return lines;
}

test("Docker's own file is written again byte for byte", () => {
  const records = new JsonFileDecoder().push(docker);
  const lines = cut(sample);
  expect(records.length).toBe(lines.length);
  const again = lines.map((line, i) => encodeJsonFileRecord(record("", { ...line, timeNs: records[i]?.timeNs ?? 0n })));
  expect(Buffer.concat(again).equals(docker)).toBe(true);
});

test("a file is read alike in one piece and byte by byte", () => {
  const whole = new JsonFileDecoder().push(docker);
  const decoder = new JsonFileDecoder();
  const pieces = Array.from(docker, (_, at) => decoder.push(docker.subarray(at, at + 1))).flat();
  expect(pieces).toEqual(whole);
  expect(decoder.pendingBytes).toBe(0);
});

test.each([
  // bytes of the line                       what stands between the quotes
  ["plain", "plain\\n"],
  ['"quoted" back\\slash', '\\"quoted\\" back\\\\slash\\n'],
  ["\ttab\rreturn", "\\u0009tab\\rreturn\\n"],
  ["<a>&b\u2028\u2029", "\\u003ca\\u003e\\u0026b\\u2028\\u2029\\n"],
  ["\u007f\ufeff\ufffd😀", "\u007f\ufeff\ufffd😀\\n"],
  [Uint8Array.of(0xe2, 0x82), "\\ufffd\\ufffd\\n"],
  [Uint8Array.of(0xed, 0xa0, 0x80, 0x41), "\\ufffd\\ufffd\\ufffdA\\n"],
])("%p is escaped as Go does", (line, written) => {
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(encodeJsonFileRecord(record(line)));
  expect(text).toBe(`{"log":"${written}","stream":"stdout","time":"1970-01-01T00:00:01Z"}\n`);
});

test.each([
  ["1970-01-01T00:00:00Z", 0n],
  ["2026-11-23T23:06:14.17463Z", 1795475174174630000n],
  ["2026-11-24T00:06:14.000000001+01:00", 1795475174000000001n],
])("the time %s is %p", (time, timeNs) => {
  const line = `{"log":"a\\n","stream":"stderr","time":"${time}"}\n`;
  expect(new JsonFileDecoder().push(Buffer.from(line))).toEqual([record("a", { stream: "stderr", timeNs })]);
});

test("attrs stand between stream and time", () => {
  const line =
    '{"log":"hi\\n","stream":"stdout","attrs":{"X":"1","a":"\\u003cb\\u003e \\"c\\""},"time":"1970-01-01T00:00:01Z"}\n';
  const records = new JsonFileDecoder().push(Buffer.from(line));
  expect(records).toEqual([record("hi", { attrs: { X: "1", a: '<b> "c"' } })]);
  expect(records.map((item) => Buffer.from(encodeJsonFileRecord(item)).toString())).toEqual([line]);
});

describe("what is no record is passed over and counted", () => {
  const good = encodeJsonFileRecord(record("good"));
  test.each([
    ["half a record", '{"log":"half'],
    ["no fields", "{}"],
    ["no object", "null"],
    ["another stream", '{"log":"a","stream":"stdin","time":"1970-01-01T00:00:01Z"}'],
    ["no time", '{"log":"a","stream":"stdout","time":"yesterday"}'],
    ["over 1 MiB", "x".repeat((1 << 20) + 1)],
  ])("%s", (_, line) => {
    const decoder = new JsonFileDecoder();
    const middle = line.length >> 1;
    expect(decoder.push(Buffer.from(line.slice(0, middle)))).toEqual([]);
    expect(decoder.push(Buffer.concat([Buffer.from(`${line.slice(middle)}\n`), good]))).toEqual([record("good")]);
    expect(decoder.skipped).toBe(1);
  });
});
