/** Finds the beginning of a log's last lines from its end, so that a log of gigabytes is not read for a hundred lines. */

import type { FileHandle } from "node:fs/promises";
import { parseLine } from "../../spec/log-json-file.ts";
import { LocalDecoder } from "../../spec/log-local.ts";
import type { LogRecord } from "../../spec/log-record.ts";
import type { LogFile } from "./log-files.ts";

export interface LogPlace {
  /** The index of the file. */
  readonly file: number;
  readonly offset: number;
}

const CHUNK_BYTES = 256 * 1024;

/**
 * The position after which there are `lines` complete lines that match, or the log's beginning.
 *
 * @param files oldest first
 */
export async function findTail(
  files: readonly LogFile[],
  driver: "json-file" | "local",
  lines: number,
  isWanted: (record: LogRecord) => boolean,
): Promise<LogPlace> {
  let left = lines;
  for (let file = files.length - 1; file >= 0; file--) {
    const { handle } = files[file] as LogFile;
    const { size } = await handle.stat();
    for await (const { record, end } of driver === "local"
      ? localBackwards(handle, size)
      : jsonBackwards(handle, size)) {
      if (record === undefined || !record.ended || !isWanted(record)) continue;
      if (left === 0) return { file, offset: end };
      left--;
    }
  }
  return { file: 0, offset: 0 };
}

interface Found {
  /** undefined: not a record. */
  readonly record: LogRecord | undefined;
  /** The offset of its end. */
  readonly end: number;
}

const NEWLINE = 0x0a;

async function* jsonBackwards(handle: FileHandle, size: number): AsyncGenerator<Found, void> {
  /** The bytes from `start` on, up to the newline that ends the last line not yet given; that one at `lineEnd`. */
  let held: Uint8Array = new Uint8Array(0);
  let start = size;
  let lineEnd = -1;
  while (start > 0) {
    const length = Math.min(CHUNK_BYTES, start);
    start -= length;
    held = Buffer.concat([await readAt(handle, start, length), held]);
    let search = lineEnd < 0 ? held.length - 1 : lineEnd - start - 1;
    for (;;) {
      const newline = search < 0 ? -1 : held.lastIndexOf(NEWLINE, search);
      if (newline < 0 && start > 0) break;
      // After the last newline there is an incomplete record.
      if (lineEnd >= 0) yield { record: parseLine(held.subarray(newline + 1, lineEnd - start)), end: lineEnd + 1 };
      if (newline < 0) return;
      lineEnd = start + newline;
      search = newline - 1;
    }
    if (lineEnd >= 0) held = held.subarray(0, lineEnd - start);
  }
}

/** In this format a record's size follows it too, so that it can be read backwards. */
async function* localBackwards(handle: FileHandle, size: number): AsyncGenerator<Found, void> {
  const footer = 4;
  let end = size;
  let held: Uint8Array = new Uint8Array(0);
  let start = size;
  const need = async (from: number): Promise<void> => {
    if (from >= start) return;
    const next = Math.max(0, Math.min(from, start - CHUNK_BYTES));
    held = Buffer.concat([await readAt(handle, next, start - next), held.subarray(0, end - start)]);
    start = next;
  };
  while (end >= 2 * footer) {
    await need(end - footer);
    const length = new DataView(held.buffer, held.byteOffset).getUint32(end - footer - start) + 2 * footer;
    if (length > end) return; // an incomplete record of a killed monitor: what is before it cannot be found
    await need(end - length);
    const [record] = new LocalDecoder().push(held.subarray(end - length - start, end - start));
    yield { record, end };
    end -= length;
  }
}

async function readAt(handle: FileHandle, offset: number, length: number): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafe(length);
  const { bytesRead } = await handle.read(bytes, 0, length, offset);
  return bytes.subarray(0, bytesRead);
}
