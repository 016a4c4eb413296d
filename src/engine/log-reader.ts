/**
 * Reads a container's log as `docker logs` gives it: by stream, time and lines from the end, and on as it grows.
 *
 * The monitor writes the files (native/README.md, "Steps", `log`); a reader never disturbs it. Nothing is read twice or left
 * out across rotation, as long as a file is not rotated away before it was begun.
 */

import { encodeAttachFrame } from "../spec/attach-frame.ts";
import { JsonFileDecoder } from "../spec/log-json-file.ts";
import { LocalDecoder } from "../spec/log-local.ts";
import type { LogDecoder, LogRecord } from "../spec/log-record.ts";
import { type LogFile, openLogFiles } from "./log-files.ts";

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
  /** Where in the files to end. */
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

const CHUNK_BYTES = 64 * 1024;

/** Ends when `signal` is aborted. */
export async function* readLog(
  source: LogSource,
  query: LogQuery,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void> {
  const format = new LogFormat(query, source.framed);
  let grown = query.follow ? watch(source, signal) : undefined;
  let files = await openLogFiles(source.path);
  let skip = query.tail === undefined ? 0 : (await countLines(files, source, query)) - query.tail;
  let reader: FileReader | undefined;
  try {
    while (!signal.aborted) {
      for (const file of files) {
        await reader?.close();
        reader = new FileReader(
          file,
          decoderOf(source),
          query.until?.inode === file.inode ? query.until.offset : undefined,
        );
        for await (const records of reader.read()) {
          const wanted = records.filter((record) => isWanted(record, query) && !(skip > 0 && skipOne(record)));
          if (wanted.length > 0) yield format.encode(wanted);
          if (signal.aborted) return;
        }
        if (query.until?.inode === file.inode) return;
      }
      const last = files.at(-1);
      files = [];
      if (grown === undefined) return;
      await grown;
      // Asked for before reading on, so that what is written after the reading is not missed.
      grown = watch(source, signal);
      if (reader !== undefined) {
        for await (const records of reader.read()) {
          const wanted = records.filter((record) => isWanted(record, query));
          if (wanted.length > 0) yield format.encode(wanted);
        }
      }
      files = await openLogFiles(source.path, reader?.inode ?? last?.inode);
    }
  } finally {
    await reader?.close();
    for (const { handle } of files) await handle.close();
  }

  function skipOne(record: LogRecord): boolean {
    if (record.ended) skip--;
    return true;
  }
}

/** undefined when nothing writes any more. */
function watch(source: LogSource, signal: AbortSignal): Promise<void> | undefined {
  const growth = source.growth();
  if (growth === undefined) return undefined;
  const aborted = new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
  // The monitor's end ends the following: what it wrote is read, and then `growth` is undefined.
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

/** How many lines the files have now that the query wants. */
async function countLines(files: readonly LogFile[], source: LogSource, query: LogQuery): Promise<number> {
  let lines = 0;
  for (const file of files)
    for await (const records of new FileReader(file, decoderOf(source), undefined).read())
      lines += records.filter((record) => record.ended && isWanted(record, query)).length;
  return lines;
}

/** One file from its beginning; reads on where it stopped. */
class FileReader {
  readonly inode: bigint;
  readonly #file: LogFile;
  readonly #decoder: LogDecoder;
  readonly #end: bigint | undefined;
  readonly #buffer = new Uint8Array(CHUNK_BYTES);
  #offset = 0;

  constructor(file: LogFile, decoder: LogDecoder, end: bigint | undefined) {
    this.inode = file.inode;
    this.#file = file;
    this.#decoder = decoder;
    this.#end = end;
  }

  /** What is there now. */
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

const newline = Uint8Array.of(0x0a);
const encoder = new TextEncoder();

/** Records as bytes. A line's pieces are put together again: one time, one newline. */
class LogFormat {
  readonly #query: LogQuery;
  readonly #framed: boolean;
  readonly #inLine = { stdout: false, stderr: false };

  constructor(query: LogQuery, framed: boolean) {
    this.#query = query;
    this.#framed = framed;
  }

  encode(records: readonly LogRecord[]): Uint8Array {
    return Buffer.concat(records.map((record) => this.#encodeOne(record)));
  }

  #encodeOne({ stream, timeNs, line, ended }: LogRecord): Uint8Array {
    const time =
      this.#query.timestamps && !this.#inLine[stream] ? encoder.encode(`${formatTimeNs(timeNs)} `) : undefined;
    this.#inLine[stream] = !ended;
    const bytes = Buffer.concat([...(time === undefined ? [] : [time]), line, ...(ended ? [newline] : [])]);
    return this.#framed ? encodeAttachFrame(stream === "stdout" ? 1 : 2, bytes) : bytes;
  }
}

/** RFC 3339 in UTC with all nine digits. */
export function formatTimeNs(timeNs: bigint): string {
  const seconds = new Date(Number(timeNs / 1_000_000n)).toISOString().slice(0, 19);
  return `${seconds}.${String(timeNs % 1_000_000_000n).padStart(9, "0")}Z`;
}
