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

type Field = { readonly number: number } & ({ readonly value: bigint } | { readonly bytes: Uint8Array });

/** undefined: not a LogEntry. Unknown fields are passed over, as protobuf asks. */
function parseEntry(entry: Uint8Array): LogRecord | undefined {
  const fields = parseFields(entry);
  if (fields === undefined) return undefined;
  const stream = streamOf(bytesOf(fields, 1));
  if (stream === undefined) return undefined;
  const record = {
    stream,
    timeNs: BigInt.asIntN(64, numberOf(fields, 2)),
    line: (bytesOf(fields, 3) ?? new Uint8Array(0)).slice(),
  };
  if (numberOf(fields, 4) === 0n) return { ...record, ended: true };
  const metadata = parseFields(bytesOf(fields, 5) ?? new Uint8Array(0));
  if (metadata === undefined) return undefined;
  const piece: LogPiece = {
    id: decodeText.decode(bytesOf(metadata, 2)),
    ordinal: Number(BigInt.asIntN(32, numberOf(metadata, 3))),
  };
  return { ...record, ended: numberOf(metadata, 1) !== 0n, piece };
}

function streamOf(source: Uint8Array | undefined): LogStream | undefined {
  const name = decodeText.decode(source);
  return name === "stdout" || name === "stderr" ? name : undefined;
}

/** The last one wins; absent is the default. */
function numberOf(fields: readonly Field[], number: number): bigint {
  const field = fields.findLast((item) => item.number === number);
  return field !== undefined && "value" in field ? field.value : 0n;
}

function bytesOf(fields: readonly Field[], number: number): Uint8Array | undefined {
  const field = fields.findLast((item) => item.number === number);
  return field !== undefined && "bytes" in field ? field.bytes : undefined;
}

/** A message's fields: varints (wire type 0) and bytes (2), the only ones these messages have. */
function parseFields(message: Uint8Array): Field[] | undefined {
  const fields: Field[] = [];
  let at = 0;
  const varint = (): bigint | undefined => {
    let value = 0n;
    for (let shift = 0n; shift < 70n && at < message.length; shift += 7n) {
      const byte = message[at++] ?? 0;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    return undefined;
  };
  while (at < message.length) {
    const key = varint();
    const value = varint();
    if (key === undefined || value === undefined) return undefined;
    const number = Number(key >> 3n);
    if ((key & 7n) === 0n) {
      fields.push({ number, value });
    } else {
      const size = Number(value);
      if ((key & 7n) !== 2n || size > message.length - at) return undefined;
      fields.push({ number, bytes: message.subarray(at, at + size) });
      at += size;
    }
  }
  return fields;
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
