/**
 * Docker's json-file log: one JSON object a line, `{"log":"text\n","stream":"stdout","attrs":{…},"time":"RFC 3339"}`.
 *
 * The monitor writes this format (native/log_json.c); here it is read, and written for tests.
 * @see moby daemon/logger/jsonfilelog
 */

import type { LogDecoder, LogRecord } from "./log-record.ts";

/** A longer line is no record: 16 KiB of text, each byte escaped, is under 100 KiB; the rest is for attrs. */
const LINE_MAX = 1 << 20;
const NEWLINE = 0x0a;

const decodeText = new TextDecoder("utf-8", { ignoreBOM: true });
const encodeText = new TextEncoder();

export class JsonFileDecoder implements LogDecoder {
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  #skipped = 0;

  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  get skipped(): number {
    return this.#skipped;
  }

  push(chunk: Uint8Array): LogRecord[] {
    const records: LogRecord[] = [];
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      const record = parseLine(this.#join(chunk.subarray(start, end)));
      if (record === undefined) this.#skipped += 1;
      else records.push(record);
      start = end + 1;
    }
    this.#keep(chunk.subarray(start));
    return records;
  }

  #join(end: Uint8Array): Uint8Array {
    if (this.#pendingBytes === 0) return end;
    const line = Buffer.concat([...this.#pending, end]);
    this.#pending = [];
    this.#pendingBytes = 0;
    return line;
  }

  /** Bounded: of a line that is too long only the length is kept, so that it is skipped when it ends. */
  #keep(rest: Uint8Array): void {
    if (rest.length === 0) return;
    this.#pendingBytes += rest.length;
    if (this.#pendingBytes > LINE_MAX) this.#pending = [];
    else this.#pending.push(rest.slice());
  }
}

/** One line without its newline; undefined when it is not a record. */
export function parseLine(line: Uint8Array): LogRecord | undefined {
  if (line.length > LINE_MAX) return undefined;
  return parsePlain(line) ?? parseAny(line);
}

const BACKSLASH = 0x5c;
const plainStart = encodeText.encode('{"log":"');
/** What follows the text of a whole line, by its stream. */
const plainEnds = (["stdout", "stderr"] as const).map((stream) => ({
  stream,
  bytes: encodeText.encode(`\\n","stream":"${stream}","time":"`),
}));
const SECOND_BYTES = "2006-01-02T15:04:05".length;

/**
 * A whole line without escapes and attrs, as most are, taken apart by its bytes: several times faster than JSON.parse.
 * undefined: not of this shape.
 */
function parsePlain(line: Uint8Array): LogRecord | undefined {
  if (!hasAt(line, 0, plainStart)) return undefined;
  const end = line.indexOf(BACKSLASH, plainStart.length);
  const shape = end < 0 ? undefined : plainEnds.find(({ bytes }) => hasAt(line, end, bytes));
  if (shape === undefined) return undefined;
  const timeNs = plainTime(line, end + shape.bytes.length);
  if (timeNs === undefined) return undefined;
  // A copy: the chunk that it is in is used again.
  return { stream: shape.stream, timeNs, line: line.slice(plainStart.length, end), ended: true };
}

function hasAt(bytes: Uint8Array, at: number, wanted: Uint8Array): boolean {
  if (bytes.length - at < wanted.length) return false;
  for (let i = 0; i < wanted.length; i++) if (bytes[at + i] !== wanted[i]) return false;
  return true;
}

/** The last second that was read: lines come many in one. */
let knownSecond = new Uint8Array(0);
let knownSecondNs = 0n;

/** `…174630001Z"}` from `at` to the end of the line. */
function plainTime(line: Uint8Array, at: number): bigint | undefined {
  const [DOT, Z, QUOTE, BRACE] = [0x2e, 0x5a, 0x22, 0x7d];
  const end = line.length - 3;
  if (line[end] !== Z || line[end + 1] !== QUOTE || line[end + 2] !== BRACE || end < at + SECOND_BYTES)
    return undefined;
  if (knownSecond.length === 0 || !hasAt(line, at, knownSecond)) {
    const second = line.slice(at, at + SECOND_BYTES);
    const secondNs = parseTime(`${decodeText.decode(second)}Z`);
    if (secondNs === undefined) return undefined;
    knownSecond = second;
    knownSecondNs = secondNs;
  }
  const fraction = at + SECOND_BYTES;
  if (fraction === end) return knownSecondNs;
  const digits = end - fraction - 1;
  if (line[fraction] !== DOT || digits < 1 || digits > 9) return undefined;
  let value = 0;
  for (let i = fraction + 1; i < end; i++) {
    const digit = (line[i] ?? 0) - 0x30;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  return knownSecondNs + BigInt(value * 10 ** (9 - digits));
}

function parseAny(line: Uint8Array): LogRecord | undefined {
  let value: unknown;
  try {
    value = JSON.parse(decodeText.decode(line));
  } catch {
    return undefined; // half a record, counted by the caller
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { log, stream, time, attrs } = value as Record<string, unknown>;
  if (typeof log !== "string" || (stream !== "stdout" && stream !== "stderr") || typeof time !== "string") {
    return undefined;
  }
  const timeNs = parseTime(time);
  if (timeNs === undefined) return undefined;
  const ended = log.endsWith("\n");
  const text = encodeText.encode(ended ? log.slice(0, -1) : log);
  const record = { stream, timeNs, line: text, ended } as const;
  return isAttrs(attrs) ? { ...record, attrs } : record;
}

function isAttrs(value: unknown): value is Readonly<Record<string, string>> {
  return typeof value === "object" && value !== null && Object.values(value).every((item) => typeof item === "string");
}

const timePattern = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/;

/** RFC 3339 as Unix time in nanoseconds. */
function parseTime(time: string): bigint | undefined {
  const match = timePattern.exec(time);
  if (match === null) return undefined;
  const milliseconds = Date.parse(`${match[1]}${match[3]}`);
  if (Number.isNaN(milliseconds)) return undefined;
  return BigInt(milliseconds) * 1_000_000n + BigInt((match[2] ?? "").padEnd(9, "0"));
}

/** RFC 3339 in UTC; the fraction has no trailing zeros (Go's RFC3339Nano). */
function formatTime(timeNs: bigint): string {
  const seconds = new Date(Number(timeNs / 1_000_000_000n) * 1000).toISOString().slice(0, 19);
  const fraction = (timeNs % 1_000_000_000n).toString().padStart(9, "0").replace(/0+$/, "");
  return `${seconds}${fraction === "" ? "" : `.${fraction}`}Z`;
}

/** The record's line in the file, its newline included. */
export function encodeJsonFileRecord(record: LogRecord): Uint8Array {
  const log = escapeText(record.line) + (record.ended ? "\\n" : "");
  const attrs = decodeText.decode(encodeJsonFileAttributes(record.attrs ?? {}));
  const line = `{"log":"${log}","stream":"${record.stream}"${attrs},"time":"${formatTime(record.timeNs)}"}\n`;
  return encodeText.encode(line);
}

/** What stands between a record's stream and its time; nothing without any. */
export function encodeJsonFileAttributes(attrs: Readonly<Record<string, string>>): Uint8Array {
  if (Object.keys(attrs).length === 0) return new Uint8Array(0);
  return encodeText.encode(`,"attrs":${escapeHtml(JSON.stringify(attrs))}`);
}

/** As Go's encoder does: what is special in HTML and JavaScript is escaped too. */
function escapeHtml(json: string): string {
  return json.replace(/[<>&\u2028\u2029]/g, unicodeEscape);
}

function unicodeEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** Bytes as the inside of a JSON string. Each byte that is not UTF-8 becomes an escaped U+FFFD, as Docker writes it. */
function escapeText(bytes: Uint8Array): string {
  let text = "";
  let start = 0;
  const flush = (end: number) => {
    text += decodeText.decode(bytes.subarray(start, end)).replace(/["\\]/g, "\\$&");
  };
  for (let at = 0; at < bytes.length; ) {
    const size = sequenceSize(bytes, at);
    const replaced = size === 0 ? "\\ufffd" : escapeOf(bytes, at, size);
    if (replaced !== undefined) {
      flush(at);
      text += replaced;
      start = at + Math.max(size, 1);
    }
    at += Math.max(size, 1);
  }
  flush(bytes.length);
  return escapeHtml(text);
}

/** Control characters; only \n and \r have short forms. undefined: the sequence stays as it is. */
function escapeOf(bytes: Uint8Array, at: number, size: number): string | undefined {
  const byte = bytes[at] ?? 0;
  if (size > 1 || byte >= 0x20) return undefined;
  return byte === NEWLINE ? "\\n" : byte === 0x0d ? "\\r" : unicodeEscape(String.fromCharCode(byte));
}

/** The length of the UTF-8 sequence at `at`; 0 when there is none (RFC 3629: no overlong forms, no surrogates). */
function sequenceSize(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0;
  if (first < 0x80) return 1;
  const size = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  const second = bytes[at + 1] ?? 0;
  const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (size === 0 || second < low || second > high) return 0;
  for (let i = 2; i < size; i++) if (((bytes[at + i] ?? 0) & 0xc0) !== 0x80) return 0;
  return size;
}
