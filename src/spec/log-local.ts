/**
 * Docker's `local` log: u32 big-endian size, a protobuf LogEntry, the size again, so that a file reads from both ends.
 *
 * LogEntry: 1 source, 2 time_nano, 3 line, 4 partial, 5 PartialLogEntryMetadata { 1 last, 2 id, 3 ordinal }; proto3.
 * @see moby daemon/logger/local, api/types/plugins/logdriver/entry.proto
 */

import type { LogDecoder, LogPiece, LogRecord, LogStream } from "./log-record.ts";

/** A longer entry is no entry of ours or Docker's (both cut lines at 16 KiB). */
const ENTRY_MAX = 1 << 20;

const decodeText = new TextDecoder();
const encodeText = new TextEncoder();

export class LocalDecoder implements LogDecoder {
  #pending: Uint8Array = new Uint8Array(0);
  #skipped = 0;
  #broken = false;

  get pendingBytes(): number {
    return this.#pending.length;
  }

  get skipped(): number {
    return this.#skipped;
  }

  /** After a size that cannot be right nothing can be found any more: the rest of this file is passed over. */
  push(chunk: Uint8Array): LogRecord[] {
    const records: LogRecord[] = [];
    if (this.#broken) return records;
    const bytes = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let at = 0;
    while (bytes.length - at >= 4) {
      const size = view.getUint32(at);
      if (size > ENTRY_MAX) return this.#breakOff(records);
      if (bytes.length - at < size + 8) break;
      if (view.getUint32(at + 4 + size) !== size) return this.#breakOff(records);
      const record = parseEntry(bytes.subarray(at + 4, at + 4 + size));
      if (record === undefined) this.#skipped += 1;
      else records.push(record);
      at += size + 8;
    }
    this.#pending = bytes.slice(at);
    return records;
  }

  #breakOff(records: LogRecord[]): LogRecord[] {
    this.#broken = true;
    this.#skipped += 1;
    this.#pending = new Uint8Array(0);
    return records;
  }
}

/** undefined: not a LogEntry. Unknown fields are passed over, as protobuf asks; of a repeated one the last counts. */
function parseEntry(entry: Uint8Array): LogRecord | undefined {
  const reader = new FieldReader(entry);
  let stream: LogStream | undefined;
  let timeNs = 0n;
  let line = new Uint8Array(0);
  let partial = false;
  let piece: (LogPiece & { readonly last: boolean }) | undefined;
  while (reader.next()) {
    if (reader.field === 1) stream = streamOf(reader.bytes);
    else if (reader.field === 2) timeNs = reader.bigint;
    else if (reader.field === 3) line = reader.bytes.slice();
    else if (reader.field === 4) partial = reader.number !== 0;
    else if (reader.field === 5) piece = parsePiece(reader.bytes);
  }
  if (reader.broken || stream === undefined || (partial && piece === undefined)) return undefined;
  if (!partial || piece === undefined) return { stream, timeNs, line, ended: true };
  return { stream, timeNs, line, ended: piece.last, piece: { id: piece.id, ordinal: piece.ordinal } };
}

function parsePiece(metadata: Uint8Array): (LogPiece & { readonly last: boolean }) | undefined {
  const reader = new FieldReader(metadata);
  const piece = { id: "", ordinal: 0, last: false };
  while (reader.next()) {
    if (reader.field === 1) piece.last = reader.number !== 0;
    else if (reader.field === 2) piece.id = decodeText.decode(reader.bytes);
    else if (reader.field === 3) piece.ordinal = reader.number;
  }
  return reader.broken ? undefined : piece;
}

function streamOf(source: Uint8Array): LogStream | undefined {
  const name = decodeText.decode(source);
  return name === "stdout" || name === "stderr" ? name : undefined;
}

/** Walks a message's fields: varints (wire type 0) and bytes (2), the only ones these messages have. A log is long, so the
 *  fields are not collected, and only the time becomes a bigint. */
class FieldReader {
  field = 0;
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  /** The message is not protobuf, or has other wire types. */
  broken = false;
  /** The varint, 35 bits and the rest. */
  #low = 0;
  #high = 0;
  #at = 0;
  readonly #message: Uint8Array;

  constructor(message: Uint8Array) {
    this.#message = message;
  }

  get number(): number {
    return this.#low + this.#high * 2 ** 35;
  }

  get bigint(): bigint {
    return BigInt.asIntN(64, (BigInt(this.#high) << 35n) | BigInt(this.#low));
  }

  /** To the next field: false at the end. */
  next(): boolean {
    if (this.broken || this.#at === this.#message.length) return false;
    if (!this.#varint()) return false;
    const key = this.number;
    if (!this.#varint()) return false;
    this.field = Math.floor(key / 8);
    if (key % 8 === 0) return true;
    const size = this.number;
    this.broken = key % 8 !== 2 || size > this.#message.length - this.#at;
    if (this.broken) return false;
    this.bytes = this.#message.subarray(this.#at, this.#at + size) as Uint8Array<ArrayBuffer>;
    this.#at += size;
    return true;
  }

  #varint(): boolean {
    this.#low = 0;
    this.#high = 0;
    for (let i = 0; i < 10 && this.#at < this.#message.length; i++) {
      const byte = this.#message[this.#at++] ?? 0;
      if (i < 5) this.#low += (byte & 0x7f) * 2 ** (7 * i);
      else this.#high += (byte & 0x7f) * 2 ** (7 * (i - 5));
      if (byte < 0x80) return true;
    }
    this.broken = true;
    return false;
  }
}

/** The record's bytes in the file. A piece of a line needs `piece`. */
export function encodeLocalRecord(record: LogRecord): Uint8Array {
  const entry = Buffer.concat([
    bytesField(1, encodeText.encode(record.stream)),
    valueField(2, record.timeNs),
    bytesField(3, record.line),
    ...(record.piece === undefined ? [] : [valueField(4, 1n), bytesField(5, encodePiece(record.piece, record.ended))]),
  ]);
  const size = Buffer.alloc(4);
  size.writeUInt32BE(entry.length);
  return Buffer.concat([size, entry, size]);
}

function encodePiece(piece: LogPiece, last: boolean): Uint8Array {
  return Buffer.concat([
    valueField(1, last ? 1n : 0n),
    bytesField(2, encodeText.encode(piece.id)),
    valueField(3, BigInt(piece.ordinal)),
  ]);
}

/** proto3: a default value is left out. */
function valueField(number: number, value: bigint): Uint8Array {
  return value === 0n ? new Uint8Array(0) : Uint8Array.of(number << 3, ...varintBytes(BigInt.asUintN(64, value)));
}

function bytesField(number: number, bytes: Uint8Array): Uint8Array {
  if (bytes.length === 0) return new Uint8Array(0);
  return Buffer.concat([Uint8Array.of((number << 3) | 2, ...varintBytes(BigInt(bytes.length))), bytes]);
}

function varintBytes(value: bigint): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  bytes.push(Number(rest));
  return bytes;
}
