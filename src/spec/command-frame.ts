/**
 * The conversation of the launcher (native/launcher/) with an engine that runs its command. After the upgrade of
 * `POST /orlop/command` each side sends frames: one byte kind, four bytes length (little endian), the payload.
 *
 * Both directions have a window, so that what one side does not take never keeps the other kind of frames from it: of output
 * the launcher says how much it has written (`taken`), of input the engine how much more it takes (`read`).
 */

/** From the launcher. */
export const upKind = {
  /** Texts, each ended by NUL: build, directory, terminals, rows, columns, number of arguments; arguments; environment. */
  begin: 1,
  stdin: 2,
  stdinEnd: 3,
  /** u8: its number. */
  signal: 4,
  /** u16 rows, u16 columns. */
  size: 5,
  /** u32: so many more bytes of output were written. */
  taken: 6,
  /** u8: 1 when the connection that `stream` asked for was taken over, and has ended; 0: nothing came of it. */
  streamEnd: 7,
} as const;

/** From the engine. */
export const downKind = {
  /** u8: the exit code where the engine is lost. From here on the command acts. */
  began: 1,
  /** The command has done nothing, and wants a process of its own. */
  notHere: 2,
  stdout: 3,
  stderr: 4,
  /** u8: the exit code. Nothing comes after it. */
  exit: 5,
  /** u32: so many more bytes of standard input may be sent. */
  read: 6,
  raw: 7,
  /** The terminal as it was before `raw`. */
  restore: 8,
  /** The numbers of the signals to catch and send: these, and no others. */
  catch: 9,
  /** The size of the terminal, now and whenever it changes. */
  watchSize: 10,
  /** Text: what `orlop resume` goes on with, where the engine is lost. */
  resumable: 11,
  /** u8: 1 its output comes unframed, 2 it takes standard input; then a request: to be made over a connection of the launcher's. */
  stream: 12,
} as const;

/** Output, and input, that may be under way. */
export const windowBytes = 256 * 1024;
/** A frame of output or input has no more. */
export const pieceBytes = 64 * 1024;
/** `begin` may be so large; the launcher keeps to it. */
const beginBytes = 1 << 20;
const headBytes = 5;

export interface CommandFrame {
  readonly kind: number;
  readonly payload: Uint8Array;
}

export function encodeCommandFrame(kind: number, payload: Uint8Array = new Uint8Array(0)): Uint8Array {
  const frame = new Uint8Array(headBytes + payload.length);
  frame[0] = kind;
  new DataView(frame.buffer).setUint32(1, payload.length, true);
  frame.set(payload, headBytes);
  return frame;
}

/** A number as four bytes. */
export function encodeCount(count: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, count, true);
  return bytes;
}

/** @throws {RangeError} when there are not four of them */
export function decodeCount(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0, true);
}

/** Pieces of a stream → the launcher's frames. */
export class CommandFrameDecoder {
  #rest: Uint8Array = new Uint8Array(0);

  /** @throws {RangeError} a frame that no launcher sends */
  push(piece: Uint8Array): CommandFrame[] {
    const bytes = this.#rest.length === 0 ? piece : joined(this.#rest, piece);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const frames: CommandFrame[] = [];
    let at = 0;
    while (bytes.length - at >= headBytes) {
      const kind = bytes[at] as number;
      const length = view.getUint32(at + 1, true);
      if (kind < upKind.begin || kind > upKind.streamEnd) throw new RangeError(`a frame of kind ${kind}`);
      if (length > (kind === upKind.begin ? beginBytes : pieceBytes))
        throw new RangeError(`a frame of kind ${kind} with ${length} bytes`);
      if (bytes.length - at - headBytes < length) break;
      frames.push({ kind, payload: bytes.subarray(at + headBytes, at + headBytes + length) });
      at += headBytes + length;
    }
    this.#rest = bytes.subarray(at);
    return frames;
  }
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

/** What `begin` says. */
export interface CommandBegin {
  readonly build: string;
  readonly cwd: string;
  /** Whether standard input, output and error are terminals. */
  readonly terminals: readonly [boolean, boolean, boolean];
  /** Of the terminal on standard output; 0 where it is none. */
  readonly rows: number;
  readonly columns: number;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** @throws {TypeError | RangeError} what is no UTF-8, or not whole */
export function parseCommandBegin(payload: Uint8Array): CommandBegin {
  const texts = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(payload).split("\0");
  if (texts.pop() !== "") throw new RangeError("a text without its end");
  const [build = "", cwd = "", terminals = "", rows, columns, count, ...rest] = texts;
  const words = numberOf(count);
  if (!cwd.startsWith("/") || !/^[01]{3}$/.test(terminals) || words > rest.length)
    throw new RangeError("a beginning that is not whole");
  const [stdin, stdout, stderr] = [...terminals].map((digit) => digit === "1");
  return {
    build,
    cwd,
    terminals: [stdin === true, stdout === true, stderr === true],
    rows: numberOf(rows),
    columns: numberOf(columns),
    argv: rest.slice(0, words),
    env: Object.fromEntries(rest.slice(words).map(pairOf)),
  };
}

function numberOf(text: string | undefined): number {
  if (text === undefined || !/^\d{1,7}$/.test(text)) throw new RangeError("a number that is none");
  return Number(text);
}

function pairOf(text: string): [string, string] {
  const equals = text.indexOf("=");
  return equals < 0 ? [text, ""] : [text.slice(0, equals), text.slice(equals + 1)];
}
