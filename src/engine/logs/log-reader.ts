/**
 * Reads a container's log for `docker logs`: by stream, by time, from the last lines on, and following it as it grows.
 *
 * The monitor writes the files (native/README.md, "Steps", `log`), and is never blocked by readers. Across rotations nothing is read twice
 * or left out, unless a file is removed before the reader has opened it.
 */

import { JsonFileDecoder } from "../../spec/log-json-file.ts";
import { LocalDecoder } from "../../spec/log-local.ts";
import type { LogDecoder, LogRecord } from "../../spec/log-record.ts";
import { type LogFile, openLogFiles } from "./log-files.ts";
import { LogFormat } from "./log-format.ts";
import { findTail } from "./log-tail.ts";

export interface LogQuery {
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly follow: boolean;
  /** Lines from the end; undefined: all. */
  readonly tail?: number;
  /** Unix time. */
  readonly sinceNs?: bigint;
  readonly untilNs?: bigint;
  readonly timestamps?: boolean;
  readonly details?: boolean;
  /** The position at which to end. */
  readonly until?: { readonly inode: bigint; readonly offset: bigint };
}

export interface LogSource {
  readonly driver: "json-file" | "local";
  readonly path: string;
  /** As attach frames; raw for a terminal's output. */
  readonly framed: boolean;
  /** Settles when the log has grown since the last time, and at the exit; undefined when nothing writes to it. */
  growth(): Promise<void> | undefined;
}

const CHUNK_BYTES = 256 * 1024;

/** Ends when `signal` is aborted. */
export async function* readLog(
  source: LogSource,
  query: LogQuery,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void> {
  const format = new LogFormat(query, source.framed);
  let grown = query.follow ? watch(source, signal) : undefined;
  let files = await openLogFiles(source.path);
  const begin =
    query.tail === undefined
      ? { file: 0, offset: 0 }
      : await findTail(files, source.driver, query.tail, (record) => isWanted(record, query));
  for (const { handle } of files.splice(0, begin.file)) await handle.close();
  let offset = begin.offset;
  let reader: FileReader | undefined;
  try {
    while (!signal.aborted) {
      for (const file of files) {
        await reader?.close();
        reader = new FileReader(
          file,
          decoderOf(source),
          query.until?.inode === file.inode ? query.until.offset : undefined,
          offset,
        );
        offset = 0;
        for await (const records of reader.read()) {
          const wanted = records.filter((record) => isWanted(record, query));
          if (wanted.length > 0) yield format.encode(wanted);
          if (signal.aborted) return;
        }
        if (query.until?.inode === file.inode) return;
      }
      const last = files.at(-1);
      files = [];
      if (grown === undefined) return;
      await grown;
      // Requested before reading, so that nothing that is written after the read is missed.
      grown = watch(source, signal);
      files = await openLogFiles(source.path, reader?.inode ?? last?.inode);
      // After the read: if there are younger files now, this one was complete when it was rotated, and has been read to its end.
      if (reader !== undefined) {
        for await (const records of reader.read()) {
          const wanted = records.filter((record) => isWanted(record, query));
          if (wanted.length > 0) yield format.encode(wanted);
        }
      }
    }
  } finally {
    await reader?.close();
    for (const { handle } of files) await handle.close();
  }
}

/** undefined when no monitor writes to the log any more. */
function watch(source: LogSource, signal: AbortSignal): Promise<void> | undefined {
  const growth = source.growth();
  if (growth === undefined) return undefined;
  const aborted = new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
  // A failure means that the monitor has ended: what it wrote is read, then `growth` is undefined.
  return Promise.race([growth.catch(() => undefined), aborted]);
}

function decoderOf({ driver }: LogSource): LogDecoder {
  return driver === "local" ? new LocalDecoder() : new JsonFileDecoder();
}

function isWanted(record: LogRecord, query: LogQuery): boolean {
  if (!query[record.stream]) return false;
  if (query.sinceNs !== undefined && record.timeNs < query.sinceNs) return false;
  return query.untilNs === undefined || record.timeNs <= query.untilNs;
}

/** Reads one file from an offset on, in several steps. */
class FileReader {
  readonly inode: bigint;
  readonly #file: LogFile;
  readonly #decoder: LogDecoder;
  readonly #end: bigint | undefined;
  readonly #buffer = new Uint8Array(CHUNK_BYTES);
  #offset: number;

  constructor(file: LogFile, decoder: LogDecoder, end: bigint | undefined, offset: number) {
    this.#offset = offset;
    this.inode = file.inode;
    this.#file = file;
    this.#decoder = decoder;
    this.#end = end;
  }

  /** Reads up to the present end. */
  async *read(): AsyncGenerator<LogRecord[], void> {
    for (;;) {
      const left = this.#end === undefined ? CHUNK_BYTES : Math.min(CHUNK_BYTES, Number(this.#end) - this.#offset);
      if (left <= 0) return;
      const { bytesRead } = await this.#file.handle.read(this.#buffer, 0, left, this.#offset);
      if (bytesRead === 0) return;
      this.#offset += bytesRead;
      yield this.#decoder.push(this.#buffer.subarray(0, bytesRead));
    }
  }

  close(): Promise<void> {
    return this.#file.handle.close();
  }
}
