/**
 * Docker's attach frames: how stdout and stderr share one connection when there is no terminal.
 * `u8` stream, three zero bytes, `u32` big-endian length, then so many bytes.
 *
 * @see Engine API, "ContainerAttach", "Stream format"
 */

/** 0 stdin (only echoed by old daemons), 1 stdout, 2 stderr, 3 an error of the daemon's. */
export type AttachStream = 0 | 1 | 2 | 3;

export interface AttachChunk {
  readonly stream: AttachStream;
  /** Not necessarily a whole frame: a frame may be 4 GiB, and nothing is gained by holding it back. */
  readonly bytes: Uint8Array;
}

const HEADER_SIZE = 8;

/** The other side does not send frames; a terminal's raw stream looks like this. */
export class AttachFrameError extends Error {
  override readonly name = "AttachFrameError";
}

/** Bytes as they come → what they say. Holds at most seven bytes. */
export class AttachFrameDecoder {
  readonly #header = new Uint8Array(HEADER_SIZE);
  #headerSize = 0;
  #left = 0;

  /** The pieces in this chunk, in order. They are views of it, not copies. */
  push(chunk: Uint8Array): AttachChunk[] {
    const pieces: AttachChunk[] = [];
    let at = 0;
    while (at < chunk.length) {
      if (this.#left === 0) {
        at += this.#takeHeader(chunk.subarray(at));
        continue;
      }
      const bytes = chunk.subarray(at, at + this.#left);
      pieces.push({ stream: (this.#header[0] ?? 0) as AttachStream, bytes });
      this.#left -= bytes.length;
      at += bytes.length;
    }
    return pieces;
  }

  /** The stream ended: true between two frames, false in the middle of one. */
  get whole(): boolean {
    return this.#left === 0 && this.#headerSize === 0;
  }

  /** How many bytes were the header's. */
  #takeHeader(bytes: Uint8Array): number {
    const part = bytes.subarray(0, HEADER_SIZE - this.#headerSize);
    this.#header.set(part, this.#headerSize);
    this.#headerSize += part.length;
    if (this.#headerSize === HEADER_SIZE) {
      const [stream = 0, ...zeros] = this.#header.subarray(0, 4);
      if (stream > 3 || zeros.some((byte) => byte !== 0)) {
        throw new AttachFrameError(`not an attach frame: ${Buffer.from(this.#header).toString("hex")}`);
      }
      this.#left = new DataView(this.#header.buffer).getUint32(4);
      this.#headerSize = 0;
    }
    return part.length;
  }
}

/** The header of a frame whose bytes follow. */
function encodeAttachHeader(stream: AttachStream, size: number): Uint8Array {
  const header = new Uint8Array(HEADER_SIZE);
  header[0] = stream;
  new DataView(header.buffer).setUint32(4, size);
  return header;
}

/** A whole frame. */
export function encodeAttachFrame(stream: AttachStream, bytes: Uint8Array): Uint8Array {
  const frame = new Uint8Array(HEADER_SIZE + bytes.length);
  frame.set(encodeAttachHeader(stream, bytes.length));
  frame.set(bytes, HEADER_SIZE);
  return frame;
}
