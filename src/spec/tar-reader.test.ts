/** What the tar reader refuses, and with which words; good archives are in test/conformance/tar. */
import { describe, expect, test } from "bun:test";
import { type ByteString, plainEntry, type TarEntry } from "./tar-entry.ts";
import { TarReader } from "./tar-reader.ts";
import { encodeTarHeader, tarEnd, tarPadding } from "./tar-writer.ts";

const plain: TarEntry = { ...plainEntry, path: "a" as ByteString, mode: 0o644 };

/** A header with some bytes replaced and the checksum made right again. */
function header(changes: Partial<TarEntry>, patches: Readonly<Record<number, string>> = {}): Buffer {
  const block = Buffer.from(encodeTarHeader({ ...plain, ...changes }));
  for (const [at, text] of Object.entries(patches)) block.write(text, Number(at), "latin1");
  block.write("        ", 148, "latin1");
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(sum.toString(8).padStart(7, "0"), 148, "latin1");
  return block;
}

function pax(body: string): Buffer {
  const bytes = Buffer.from(body, "latin1");
  return Buffer.concat([header({ size: bytes.length }, { 156: "x" }), bytes, tarPadding(bytes.length)]);
}

const record = (key: string, value: string): string => {
  const rest = ` ${key}=${value}\n`;
  const digits = String(rest.length + String(rest.length + 2).length).length;
  return `${rest.length + digits}${rest}`;
};

function read(...parts: Uint8Array[]): TarEntry[] {
  const entries: TarEntry[] = [];
  const reader = new TarReader({
    entry: (entry) => entries.push(entry),
    data: () => undefined,
    finish: () => undefined,
  });
  for (const part of parts) reader.write(part);
  reader.end();
  return entries;
}

const sparse10 = record("GNU.sparse.major", "1") + record("GNU.sparse.minor", "0");

describe("the tar reader", () => {
  test("an archive may be empty, end without its end, and have any number of zeros behind it", () => {
    expect(read()).toEqual([]);
    expect(read(header({}))).toEqual([plain]);
    expect(read(header({}), tarEnd, new Uint8Array(10_240))).toEqual([plain]);
  });

  test("a name of 4096 bytes is read, one more is refused", () => {
    expect(read(encodeTarHeader({ ...plain, path: "n".repeat(4096) as ByteString }))[0]?.path.length).toBe(4096);
    expect(() => read(encodeTarHeader({ ...plain, path: "n".repeat(4097) as ByteString }))).toThrow("over 4096 bytes");
  });

  test("a checksum over signed bytes is right too", () => {
    const block = header({}, { 0: "\xff\xfe" });
    block.write("        ", 148, "latin1");
    const sum = block.reduce((total, byte) => total + ((byte << 24) >> 24), 0);
    block.write(sum.toString(8).padStart(7, "0"), 148, "latin1");
    expect(read(block)[0]?.path).toBe("\xff\xfe" as ByteString);
  });

  test("global headers change nothing", () => {
    const body = Buffer.from(record("path", "elsewhere"));
    expect(read(header({ size: body.length }, { 156: "g" }), body, tarPadding(body.length), header({}))).toEqual([
      plain,
    ]);
  });

  test.each<[string, readonly Uint8Array[], string]>([
    ["a damaged header", [header({}).fill(1, 0, 3)], "checksum"],
    ["half a header", [header({}).subarray(0, 300)], "middle of an entry"],
    ["content cut short", [header({ size: 100 }), new Uint8Array(50)], "middle of an entry"],
    ["padding cut short", [header({ size: 100 }), new Uint8Array(100)], "middle of an entry"],
    ["an extended header without an entry", [pax(record("path", "x"))], "middle of an entry"],
    ["an extended header before the end", [pax(record("path", "x")), tarEnd], "has no entry"],
    ["something behind the end", [header({}), tarEnd, header({})], "behind the archive's end"],
    ["a block of zeros inside", [header({}), tarEnd.subarray(0, 512), header({})], "between entries"],
    ["an unknown type", [header({}, { 156: "V" })], 'type "V"'],
    ["a volume's continuation", [header({}, { 156: "M" })], 'type "M"'],
    ["a negative size", [header({}, { 124: `\xff${"\xff".repeat(11)}` })], "size is negative"],
    ["a size of 2^80", [header({}, { 124: `\x80\0\x01${"\0".repeat(9)}` })], "size is out of range"],
    ["a size that is no number", [header({}, { 124: "0000000000z" })], "size is not an octal number"],
    ["uid 2^32-1", [header({}, { 108: "\x80\0\0\0\xff\xff\xff\xff" })], "uid 4294967295 is out of range"],
    ["a directory with content", [header({ path: "d/" as ByteString, size: 5 })], "a directory has content"],
    ["no name", [header({ path: "" as ByteString })], "no name"],
    ["a NUL in a name", [pax(record("path", "a\0b")), header({})], "NUL"],
    ["an extended header over 1 MiB", [header({ size: 1_048_577 }, { 156: "x" })], "over 1048576 bytes"],
    ["a long name over its limit", [header({ size: 5000 }, { 156: "L" })], "over 4097 bytes"],
    ["a record longer than its header", [pax("99 path=x\n"), header({})], "wrong length"],
    ["a record of length 0", [pax("0 a=b\n"), header({})], "wrong length"],
    ["a record without a key", [pax("6 =ab\n"), header({})], "no key"],
    ["a size in words", [pax(record("size", "-1")), header({})], "size is not a decimal"],
    ["a time in words", [pax(record("mtime", "now")), header({})], "a time is not"],
    ["an attribute without a name", [pax(record("SCHILY.xattr.", "x")), header({})], "1 to 255"],
    ["an attribute over 64 KiB", [pax(record("SCHILY.xattr.user.a", "v".repeat(65_537))), header({})], "64 KiB"],
    ["sparse version 2", [pax(record("GNU.sparse.major", "2")), header({})], "unknown GNU sparse"],
    [
      "half a sparse pair",
      [pax(record("GNU.sparse.size", "9") + record("GNU.sparse.map", "1,2,3")), header({})],
      "half",
    ],
    [
      "a sparse map out of order",
      [pax(record("GNU.sparse.size", "99") + record("GNU.sparse.map", "50,5,0,5")), header({ size: 10 })],
      "out of order",
    ],
    [
      "a sparse map past the end",
      [pax(record("GNU.sparse.size", "9") + record("GNU.sparse.map", "0,10")), header({ size: 10 })],
      "past the file's end",
    ],
    [
      "a sparse map of another size",
      [pax(record("GNU.sparse.size", "99") + record("GNU.sparse.map", "0,10")), header({ size: 11 })],
      "does not match",
    ],
    [
      "a sparse map that never ends",
      [pax(sparse10 + record("GNU.sparse.realsize", "9")), header({ size: 512 }), Buffer.alloc(512, "9")],
      "not a decimal|cut short",
    ],
    ["old sparse without GNU's magic", [header({}, { 156: "S" })], "without GNU's magic"],
  ])("%s is refused", (_, parts, words) => {
    expect(() => read(...parts)).toThrow(new RegExp(words.replace("(", "\\(")));
    expect(() => read(...parts)).toThrow(/the tar archive is damaged at byte \d+/);
  });
});
