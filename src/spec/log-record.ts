/** What a container's log holds, whichever format it is written in. */

export type LogStream = "stdout" | "stderr";

export interface LogRecord {
  readonly stream: LogStream;
  /** Unix time in nanoseconds. */
  readonly timeNs: bigint;
  /** The bytes without the newline. */
  readonly line: Uint8Array;
  /** false: a piece of a line that goes on in the stream's next record (lines are cut at 16 KiB), or that never ended. */
  readonly ended: boolean;
  /** Which piece of which line, where the format says so (`local`). */
  readonly piece?: LogPiece;
  /** Labels and environment that the log options chose (json-file). */
  readonly attrs?: Readonly<Record<string, string>>;
}

export interface LogPiece {
  /** The same for all pieces of one line. */
  readonly id: string;
  /** From 1. */
  readonly ordinal: number;
}

/** Takes a file's bytes as they come, gives the records that are whole. */
export interface LogDecoder {
  push(chunk: Uint8Array): LogRecord[];
  /** Bytes that wait for the rest of their record: a file's offset minus this is where the next record begins. */
  readonly pendingBytes: number;
  /** Records that could not be read: what a crash or a full disk left. They are passed over. */
  readonly skipped: number;
}
