/** Docker's attach frames: `u8` stream, three zero bytes, `u32` big-endian length, bytes (Engine API, "ContainerAttach"). */
import { OrlopError } from "../base/errors.ts";

/** Which of the container's streams bytes came from (or, for stdin, go to). */
export type StreamName = "stdin" | "stdout" | "stderr";

export interface StreamPiece {
  readonly stream: StreamName;
  readonly bytes: Uint8Array;
}

const streamNames: readonly StreamName[] = ["stdin", "stdout", "stderr"];
const headerBytes = 8;

/** Decodes frames from bytes that come cut anywhere. Pieces of a frame are passed on as they come, never collected. */
export class FrameDecoder {
  #header = new Uint8Array(headerBytes);
  #headerUsed = 0;
  #stream: StreamName = "stdout";
  #left = 0;

  /** @throws {OrlopError} engine_broke_off */
  *decode(bytes: Uint8Array): Generator<StreamPiece, void> {
    for (let at = 0; at < bytes.length; ) {
      if (this.#left > 0) {
        const piece = bytes.subarray(at, at + this.#left);
        at += piece.length;
        this.#left -= piece.length;
        yield { stream: this.#stream, bytes: piece };
        continue;
      }
      this.#header[this.#headerUsed++] = bytes[at++] as number;
      if (this.#headerUsed === headerBytes) this.#begin();
    }
  }

  #begin(): void {
    const view = new DataView(this.#header.buffer);
    const stream = streamNames[view.getUint8(0)];
    if (stream === undefined)
      throw OrlopError.of("engine_broke_off", {
        reason: `its output names stream ${view.getUint8(0)}, which there is not`,
      });
    this.#stream = stream;
    this.#left = view.getUint32(4);
    this.#headerUsed = 0;
  }

  /** Whether the bytes so far end between two frames. */
  get whole(): boolean {
    return this.#headerUsed === 0 && this.#left === 0;
  }
}
