/** Frames between this side and the executor, as bytes (native/README.md, "Frames"). No sockets here. */

/** The version in HELLO. Monitors outlive an upgrade of the engine, so every change of meaning needs a new version. */
export const PROTOCOL_VERSION = 1;
/** Bytes after the length field, at most. */
export const FRAME_MAX = 1 << 20;

/** Frame kinds. To the executor below 64, from it from 64 on. */
export const frameKind = {
  HELLO: 1,
  STEP: 2,
  END: 3,
  GO: 4,
  SIGNAL: 5,
  RESIZE: 6,
  WATCH_LOG: 7,
  ATTACH: 8,
  CONTROL: 9,
  CLOSE_STDIN: 10,
  ENGINE: 11,
  WATCH: 12,
  BUSY: 13,
  STOP: 14,
  WAKE: 15,
  NETD: 16,
  SYNC: 17,
  SYNC_END: 18,
  HOLD: 19,
  RESOLVER: 20,
  NAMES: 21,
  WATCH_RULES: 22,
  STATE: 23,
  SERVES: 24,
  CLIENT: 25,
  DONE: 64,
  FAILED: 65,
  VALUE: 66,
  STARTED: 67,
  EXITED: 68,
  LOGGED: 69,
  ATTACHED: 70,
  STATUS: 71,
  LEAVE: 72,
  SPAWNED: 73,
  CHANGED: 74,
  OOM: 75,
  DETACHED: 76,
} as const;

/** Frames that are only their kind. */
export type BareFrame =
  | "END"
  | "GO"
  | "WATCH_LOG"
  | "CONTROL"
  | "CLOSE_STDIN"
  | "ENGINE"
  | "BUSY"
  | "SERVES"
  | "STOP"
  | "WAKE"
  | "NETD";

/** One answer of the executor. Times are Unix time in nanoseconds; status is a wait status (waitpid(2)). */
export type Answer =
  | { readonly kind: "DONE" }
  | { readonly kind: "FAILED"; readonly step: number; readonly errno: number; readonly detail: string }
  | { readonly kind: "VALUE"; readonly step: number; readonly value: Uint8Array }
  | { readonly kind: "STARTED"; readonly pid: number; readonly startedNs: bigint }
  | { readonly kind: "EXITED"; readonly status: number; readonly endedNs: bigint }
  | { readonly kind: "LOGGED" }
  | { readonly kind: "ATTACHED"; readonly inode: bigint; readonly offset: bigint }
  | {
      readonly kind: "STATUS";
      readonly state: "waiting" | "running" | "exited";
      readonly pid: number;
      readonly timeNs: bigint;
      readonly status: number;
    }
  | { readonly kind: "LEAVE" }
  | { readonly kind: "SPAWNED"; readonly pid: number }
  | { readonly kind: "CHANGED"; readonly what: number }
  | { readonly kind: "OOM"; readonly kills: number }
  | { readonly kind: "DETACHED" };

/** The other side broke the protocol. */
export class FrameError extends Error {
  override readonly name = "FrameError";
}

/** A frame around a payload. */
export function encodeFrame(kind: number, payload: Uint8Array = new Uint8Array(0)): Uint8Array {
  const size = payload.length + 1;
  if (size > FRAME_MAX) throw new FrameError(`a frame of ${size} bytes is over the limit of ${FRAME_MAX}`);
  const frame = new Uint8Array(4 + size);
  new DataView(frame.buffer).setUint32(0, size, true);
  frame[4] = kind;
  frame.set(payload, 5);
  return frame;
}

export function encodeBare(name: BareFrame): Uint8Array {
  return encodeFrame(frameKind[name]);
}

export function encodeHello(): Uint8Array {
  return encodeFrame(frameKind.HELLO, u32(PROTOCOL_VERSION));
}

export function encodeSignal(signal: number): Uint8Array {
  return encodeFrame(frameKind.SIGNAL, u32(signal));
}

export function encodeWatch(pid: number): Uint8Array {
  return encodeFrame(frameKind.WATCH, u32(pid));
}

export function encodeResize(rows: number, columns: number): Uint8Array {
  const payload = new Uint8Array(4);
  const view = new DataView(payload.buffer);
  view.setUint16(0, rows, true);
  view.setUint16(2, columns, true);
  return encodeFrame(frameKind.RESIZE, payload);
}

/** streams: 1 stdin, 2 stdout, 4 stderr, 8 turned (see AttachOptions). flags: 1 = begin with the unfinished line that the log does not have yet. */
export function encodeAttach(streams: number, flags: number): Uint8Array {
  return encodeFrame(frameKind.ATTACH, Uint8Array.of(streams, flags));
}

/** CLIENT: a client whose connection is sent with this frame. @param input what was already read from it */
export function encodeClient(streams: number, detachKeys: readonly number[], input: Uint8Array): Uint8Array {
  const end = Uint8Array.of(0);
  const keys = Uint8Array.from(detachKeys);
  const parts = [Uint8Array.of(streams), u32(keys.length), keys, end, u32(input.length), input, end];
  return encodeFrame(frameKind.CLIENT, Buffer.concat(parts));
}

function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

const stateNames = ["waiting", "running", "exited"] as const;

/** Decodes one frame from the executor. */
function decodeAnswer(kind: number, payload: Uint8Array): Answer {
  const read = new PayloadReader(payload);
  const answer = readAnswer(kind, read);
  read.end();
  return answer;
}

function readAnswer(kind: number, read: PayloadReader): Answer {
  switch (kind) {
    case frameKind.DONE:
      return { kind: "DONE" };
    case frameKind.FAILED:
      return { kind: "FAILED", step: read.u32(), errno: read.i32(), detail: read.text() };
    case frameKind.VALUE:
      return { kind: "VALUE", step: read.u32(), value: read.bytes() };
    case frameKind.STARTED:
      return { kind: "STARTED", pid: read.u32(), startedNs: read.u64() };
    case frameKind.EXITED:
      return { kind: "EXITED", status: read.i32(), endedNs: read.u64() };
    case frameKind.LOGGED:
      return { kind: "LOGGED" };
    case frameKind.ATTACHED:
      return { kind: "ATTACHED", inode: read.u64(), offset: read.u64() };
    case frameKind.STATUS: {
      const state = stateNames[read.u8()];
      if (state === undefined) throw new FrameError("unknown monitor state");
      return { kind: "STATUS", state, pid: read.u32(), timeNs: read.u64(), status: read.i32() };
    }
    case frameKind.LEAVE:
      return { kind: "LEAVE" };
    case frameKind.SPAWNED:
      return { kind: "SPAWNED", pid: read.u32() };
    case frameKind.CHANGED:
      return { kind: "CHANGED", what: read.u8() };
    case frameKind.OOM:
      return { kind: "OOM", kills: read.u32() };
    case frameKind.DETACHED:
      return { kind: "DETACHED" };
    default:
      throw new FrameError(`unknown frame kind ${kind}`);
  }
}

/** Takes values from the front of a payload; throws when it is too short. */
class PayloadReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  #take(size: number): number {
    const at = this.#at;
    if (size > this.#bytes.length - at) throw new FrameError("a payload is shorter than its kind says");
    this.#at = at + size;
    return at;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  i32(): number {
    return this.#view.getInt32(this.#take(4), true);
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8), true);
  }

  /** A `b` (or an `s`): its length, its bytes, one NUL. A copy, because the buffer is reused. */
  bytes(): Uint8Array {
    const size = this.u32();
    const at = this.#take(size + 1);
    if (this.#bytes[at + size] !== 0) throw new FrameError("a string is not followed by NUL");
    return this.#bytes.slice(at, at + size);
  }

  text(): string {
    return new TextDecoder().decode(this.bytes());
  }

  end(): void {
    if (this.#at !== this.#bytes.length) throw new FrameError("a payload is longer than its kind says");
  }
}

/** Collects bytes as they arrive, and gives complete frames. Holds at most one incomplete frame. */
export class FrameDecoder {
  #pending = new Uint8Array(0);

  /** Adds bytes, and gives the answers that are complete. */
  push(chunk: Uint8Array): Answer[] {
    const answers: Answer[] = [];
    this.#add(chunk);
    for (let answer = this.take(); answer !== undefined; answer = this.take()) answers.push(answer);
    return answers;
  }

  /** Adds bytes and takes one answer, if it is complete. Bytes after it stay in `rest`: those after ATTACHED are not frames. */
  pushOne(chunk: Uint8Array): Answer | undefined {
    this.#add(chunk);
    return this.take();
  }

  /** The next complete answer. */
  take(): Answer | undefined {
    const bytes = this.#pending;
    if (bytes.length < 4) return undefined;
    const size = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
    if (size < 1 || size > FRAME_MAX) throw new FrameError(`a frame of ${size} bytes`);
    if (bytes.length < 4 + size) return undefined;
    this.#pending = bytes.subarray(4 + size);
    return decodeAnswer(bytes[4] ?? 0, bytes.subarray(5, 4 + size));
  }

  /** Bytes after the last answer that was taken. */
  get rest(): Uint8Array {
    return this.#pending;
  }

  #add(chunk: Uint8Array): void {
    if (this.#pending.length === 0) {
      this.#pending = new Uint8Array(chunk);
      return;
    }
    const joined = new Uint8Array(this.#pending.length + chunk.length);
    joined.set(this.#pending);
    joined.set(chunk, this.#pending.length);
    this.#pending = joined;
  }
}
