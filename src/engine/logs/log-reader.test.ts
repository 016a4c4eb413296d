/** Reading logs: streams, times, lines from the end, rotation, following. */

import { afterEach, beforeEach, expect, test } from "bun:test";
import { appendFileSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AttachFrameDecoder } from "../../spec/attach-frame.ts";
import { encodeJsonFileRecord } from "../../spec/log-json-file.ts";
import { encodeLocalRecord } from "../../spec/log-local.ts";
import type { LogRecord, LogStream } from "../../spec/log-record.ts";
import { type LogQuery, type LogSource, readLog } from "./log-reader.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "orlop-logs-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

const path = () => join(directory, "log");
const startNs = 1_700_000_000_000_000_000n;
const record = (line: string, seconds = 0, stream: LogStream = "stdout", ended = true): LogRecord => ({
  stream,
  timeNs: startNs + BigInt(seconds) * 1_000_000_000n,
  line: new TextEncoder().encode(line),
  ended,
});
const append = (...records: LogRecord[]) => {
  for (const one of records) appendFileSync(path(), encodeJsonFileRecord(one));
};
/** As the monitor does it: PATH.1 becomes PATH.2, PATH becomes PATH.1. */
const rotate = (count: number) => {
  for (let number = count; number > 0; number--)
    renameSync(number === 1 ? path() : `${path()}.${number - 1}`, `${path()}.${number}`);
};

async function read(query: Partial<LogQuery> = {}, source: Partial<LogSource> = {}): Promise<string> {
  const log = { driver: "json-file", path: path(), framed: false, growth: () => undefined, ...source } as const;
  const wanted = { stdout: true, stderr: true, follow: false, ...query };
  let text = "";
  for await (const bytes of readLog(log, wanted, new AbortController().signal)) text += new TextDecoder().decode(bytes);
  return text;
}

test("a log that is not there yet is empty", async () => {
  expect(await read()).toBe("");
});

test("streams, times and lines are chosen", async () => {
  append(record("a", 0), record("b", 1, "stderr"), record("c", 2), record("d", 3));
  expect(await read()).toBe("a\nb\nc\nd\n");
  expect(await read({ stderr: false })).toBe("a\nc\nd\n");
  expect(await read({ sinceNs: startNs + 2_000_000_000n })).toBe("c\nd\n");
  expect(await read({ untilNs: startNs + 1_000_000_000n })).toBe("a\nb\n");
  expect(await read({ tail: 2 })).toBe("c\nd\n");
  expect(await read({ tail: 0 })).toBe("");
  expect(await read({ tail: 9 })).toBe("a\nb\nc\nd\n");
  expect(await read({ tail: 1, stdout: false })).toBe("b\n");
});

test("a line in pieces is one line, with one time", async () => {
  append(record("begin ", 0, "stdout", false), record("end", 1), record("next", 2));
  expect(await read({ timestamps: true })).toBe(
    "2023-11-14T22:13:20.000000000Z begin end\n2023-11-14T22:13:22.000000000Z next\n",
  );
  expect(await read({ tail: 1 })).toBe("next\n");
});

test("frames say which stream", async () => {
  append(record("out"), record("err", 0, "stderr"));
  const log: LogSource = { driver: "json-file", path: path(), framed: true, growth: () => undefined };
  const decoder = new AttachFrameDecoder();
  const pieces: [number, string][] = [];
  for await (const bytes of readLog(log, { stdout: true, stderr: true, follow: false }, new AbortController().signal))
    for (const piece of decoder.push(bytes)) pieces.push([piece.stream, Buffer.from(piece.bytes).toString()]);
  expect(pieces).toEqual([
    [1, "out\n"],
    [2, "err\n"],
  ]);
});

test("rotated files come first, the oldest at the beginning", async () => {
  append(record("1"));
  rotate(1);
  append(record("2"));
  rotate(2);
  append(record("3"));
  expect(await read()).toBe("1\n2\n3\n");
  expect(await read({ tail: 2 })).toBe("2\n3\n");
});

test("the local format", async () => {
  appendFileSync(path(), encodeLocalRecord(record("a")));
  appendFileSync(path(), encodeLocalRecord(record("b", 1)));
  expect(await read({}, { driver: "local" })).toBe("a\nb\n");
});

test("reading ends where an attached stream begins", async () => {
  append(record("a"));
  const { ino, size } = statSync(path(), { bigint: true });
  append(record("b"));
  expect(await read({ until: { inode: ino, offset: size } })).toBe("a\n");
});

test("following goes on through rotation, and ends with the writer", async () => {
  append(record("1"));
  let turn = 0;
  const growth = (): Promise<void> | undefined => {
    turn++;
    if (turn === 2) append(record("2"));
    if (turn === 3) {
      append(record("3"));
      rotate(1);
      append(record("4"));
      rotate(2);
      append(record("5"));
    }
    return turn < 4 ? Promise.resolve() : undefined;
  };
  expect(await read({ follow: true }, { growth })).toBe("1\n2\n3\n4\n5\n");
});

test("what is written just before a rotation that comes while following looks for files is not left out", async () => {
  append(record("1"));
  let looks = 0;
  const source = {
    get path() {
      if (++looks === 2) {
        append(record("2"));
        rotate(1);
        append(record("3"));
      }
      return path();
    },
  };
  let turn = 0;
  const growth = () => (++turn < 3 ? Promise.resolve() : undefined);
  const log = { driver: "json-file", framed: false, growth } as const;
  const followed = readLog(
    Object.defineProperties({ ...log, path: "" }, Object.getOwnPropertyDescriptors(source)),
    { stdout: true, stderr: true, follow: true },
    new AbortController().signal,
  );
  let text = "";
  for await (const bytes of followed) text += new TextDecoder().decode(bytes);
  expect(text).toBe("1\n2\n3\n");
});

test.each([0, 1, 2])(
  "between two renames of a rotation file %d is missing, and the older ones are read",
  async (gap) => {
    for (const [index, line] of ["1", "2", "3", "4"].entries()) {
      if (index > 0) rotate(index);
      append(record(line));
    }
    for (let number = 4; number > gap; number--)
      renameSync(number === 1 ? path() : `${path()}.${number - 1}`, `${path()}.${number}`);
    expect(await read()).toBe("1\n2\n3\n4\n");
  },
);

/** A log of lines, pieces and both streams, from a seed. */
function randomRecords(count: number): LogRecord[] {
  let state = 7;
  const random = (most: number): number => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return state % most;
  };
  return Array.from({ length: count }, (_, i) => {
    const size = random(20) === 0 ? random(40_000) : random(120);
    const stream = random(3) === 0 ? "stderr" : "stdout";
    return record(`${i} "\\<${"x".repeat(size)}`, i, stream, random(10) !== 0);
  });
}

test.each([
  ["json-file", encodeJsonFileRecord],
  ["local", (one: LogRecord) => encodeLocalRecord(one.ended ? one : { ...one, piece: { id: "a", ordinal: 1 } })],
] as const)(
  "%s: lines from the end are the end of all lines, wherever the pieces of a file that are read begin",
  async (driver, encode) => {
    const records = randomRecords(160);
    const bytes = (some: readonly LogRecord[]) => Buffer.concat(some.map(encode));
    writeFileSync(`${path()}.1`, bytes(records.slice(0, 60)));
    writeFileSync(path(), bytes(records.slice(60)));
    for (const query of [{}, { stderr: false }, { sinceNs: startNs + 80_000_000_000n }]) {
      const all = await read(query, { driver });
      const ends = [0, ...[...all.matchAll(/\n/g)].map(({ index }) => index + 1)];
      for (const tail of [0, 1, 50, 110, 1000]) {
        const wanted = all.slice(ends[Math.max(0, ends.length - 1 - tail)]);
        expect([query, tail, (await read({ ...query, tail }, { driver })) === wanted]).toEqual([query, tail, true]);
      }
    }
  },
);

test("details are the attributes, by name, as URLs have them", async () => {
  append({ ...record("a"), attrs: { tier: "front end", app: "a=b" } }, record("b"));
  expect(await read({ details: true })).toBe("app=a%3Db,tier=front+end a\n b\n");
  expect(await read({ details: true, timestamps: true, tail: 1 })).toBe("2023-11-14T22:13:20.000000000Z  b\n");
});

test("half a record at the end, which a killed monitor left, hides no line", async () => {
  append(record("a"), record("b"));
  appendFileSync(path(), '{"log":"half');
  expect(await read({ tail: 1 })).toBe("b\n");
});
