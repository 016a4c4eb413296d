/** Formats log records for clients: framed or raw, with timestamps and details on request. */

import type { LogRecord, LogStream } from "../../spec/log-record.ts";

export interface LogFormatQuery {
  readonly timestamps?: boolean;
  /** Each line begins with the record's attributes. */
  readonly details?: boolean;
}

const FRAME_HEADER = 8;
const NEWLINE = 0x0a;
const encoder = new TextEncoder();
const nothing = new Uint8Array(0);

export class LogFormat {
  readonly #query: LogFormatQuery;
  readonly #framed: boolean;
  /** Of a line in several records only the first has a timestamp. */
  readonly #inLine: Record<LogStream, boolean> = { stdout: false, stderr: false };

  constructor(query: LogFormatQuery, framed: boolean) {
    this.#query = query;
    this.#framed = framed;
  }

  /** Written into one buffer, because there may be millions of records of about a hundred bytes. */
  encode(records: readonly LogRecord[]): Uint8Array {
    const prefixes = records.map((record) => this.#prefixOf(record));
    const header = this.#framed ? FRAME_HEADER : 0;
    let size = 0;
    for (const [i, { line, ended }] of records.entries())
      size += header + (prefixes[i]?.length ?? 0) + line.length + (ended ? 1 : 0);
    const out = Buffer.allocUnsafe(size);
    let at = 0;
    for (const [i, { stream, line, ended }] of records.entries()) {
      const prefix = prefixes[i] ?? nothing;
      if (this.#framed) {
        out.writeUInt32BE(stream === "stdout" ? 0x0100_0000 : 0x0200_0000, at);
        out.writeUInt32BE(prefix.length + line.length + (ended ? 1 : 0), at + 4);
        at += FRAME_HEADER;
      }
      out.set(prefix, at);
      out.set(line, at + prefix.length);
      at += prefix.length + line.length;
      if (ended) out[at++] = NEWLINE;
    }
    return out;
  }

  #prefixOf({ stream, timeNs, ended, attrs }: LogRecord): Uint8Array {
    const begins = !this.#inLine[stream];
    this.#inLine[stream] = !ended;
    if (!begins || !(this.#query.timestamps || this.#query.details)) return nothing;
    const time = this.#query.timestamps ? `${formatTimeNs(timeNs)} ` : "";
    return encoder.encode(time + (this.#query.details ? `${formatAttrs(attrs ?? {})} ` : ""));
  }
}

/** "KEY=VALUE,KEY=VALUE" sorted by key, percent-encoded. */
function formatAttrs(attrs: Readonly<Record<string, string>>): string {
  const quote = (text: string): string => encodeURIComponent(text).replaceAll("%20", "+");
  return Object.keys(attrs)
    .sort()
    .map((key) => `${quote(key)}=${quote(attrs[key] ?? "")}`)
    .join(",");
}

/** Caches the text of the last second, because many lines have the same one. */
let knownSecond = -1n;
let knownText = "";

/** RFC 3339 in UTC with all nine digits. A file may be older than 1970. */
export function formatTimeNs(timeNs: bigint): string {
  const fraction = ((timeNs % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  const second = (timeNs - fraction) / 1_000_000_000n;
  if (second !== knownSecond) {
    knownText = new Date(Number(second) * 1000).toISOString().slice(0, 19);
    knownSecond = second;
  }
  return `${knownText}.${String(fraction).padStart(9, "0")}Z`;
}
