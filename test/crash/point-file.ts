/** Arms step points of running processes, and learns which were reached. The layout is native/points.c's. */

import { closeSync, openSync, readSync, truncateSync, writeSync } from "node:fs";

/** What happens at a point: killed or stopped; a step left out; an errno's number. */
export type PointAction = "kill" | "stop" | "skip" | `${number}`;

const size = 1 << 16;
const place = { name: 0, action: 128, left: 156, traceUsed: 160, trace: 164 } as const;

export class PointFile implements Disposable {
  readonly path: string;
  readonly #fd: number;

  constructor(path: string) {
    this.path = path;
    this.#fd = openSync(path, "w+", 0o600);
    truncateSync(path, size);
  }

  /** The point acts when it is reached for the n-th time from now. */
  arm(name: string, action: PointAction, nth = 1): void {
    this.#write(place.name, Buffer.alloc(place.left)); // no name first: nobody may see half of two
    this.#write(place.left, uint32(nth));
    this.#write(place.action, Buffer.from(action));
    this.#write(place.name, Buffer.from(name));
  }

  disarm(): void {
    this.#write(place.name, Buffer.alloc(place.action));
  }

  /** Whether the armed point has acted. */
  get hasActed(): boolean {
    return this.#read(place.left, 4).readInt32LE() <= 0;
  }

  /** The points that were reached since the last `forget`, in order. */
  reached(): string[] {
    const used = this.#read(place.traceUsed, 4).readUInt32LE();
    return this.#read(place.trace, Math.min(used, size - place.trace))
      .toString()
      .split("\0")
      .filter(Boolean);
  }

  forget(): void {
    this.#write(place.traceUsed, uint32(0));
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }

  #write(at: number, bytes: Uint8Array): void {
    writeSync(this.#fd, bytes, 0, bytes.length, at);
  }

  #read(at: number, length: number): Buffer {
    const bytes = Buffer.alloc(length);
    readSync(this.#fd, bytes, 0, length, at);
    return bytes;
  }
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
