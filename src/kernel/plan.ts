/** Encodes plans as frames (native/README.md). Pure; limits are checked here, before anything is sent. */

import { encodeBare, encodeHello, FRAME_MAX, FrameError, frameKind } from "./frame.ts";
import { type ArgumentKind, type Step, stepTable } from "./step.ts";

/** Encodings that are known in advance (`plan-template.ts`). */
const encoded = new WeakMap<readonly Step[], Uint8Array>();

/** HELLO, all steps, numbered by their index, and END. */
export function encodePlan(steps: readonly Step[]): Uint8Array {
  return encoded.get(steps) ?? encodePart(steps, 0, true);
}

/** @param bytes the result of `encodePlan` for these steps, which must not be changed any more */
export function rememberEncoded(steps: readonly Step[], bytes: Uint8Array): void {
  encoded.set(steps, bytes);
}

/** The beginning of a plan, whose rest is not known yet: HELLO and these steps. */
export function encodeBeginning(steps: readonly Step[]): Uint8Array {
  return encodePart(steps, 0, false);
}

/** A plan but for its first `from` steps, and END. */
export function encodeRest(plan: readonly Step[], from: number): Uint8Array {
  return encodePart(plan, from, true);
}

function encodePart(steps: readonly Step[], from: number, ends: boolean): Uint8Array {
  const writer = new PlanWriter();
  if (from === 0) writer.raw(encodeHello());
  for (let index = from; index < steps.length; index++) writeStep(writer, steps[index] as Step, index);
  if (ends) writer.raw(encodeBare("END"));
  return writer.bytes();
}

/** One STEP frame. Answers about the step have its `index`. */
export function encodeStep(step: Step, index: number): Uint8Array {
  const writer = new PlanWriter();
  writeStep(writer, step, index);
  return writer.bytes();
}

function writeStep(writer: PlanWriter, step: Step, index: number): void {
  const start = writer.beginFrame(frameKind.STEP);
  writer.u32(index);
  writer.name(step.op);
  const values = step as unknown as Readonly<Record<string, unknown>>;
  const kinds: Readonly<Record<string, ArgumentKind>> = stepTable[step.op];
  for (const argument in kinds) {
    try {
      writeArgument(writer, kinds[argument] as ArgumentKind, values[argument]);
    } catch (error) {
      throw new FrameError(`step ${index} (${step.op}), argument ${argument}: ${(error as Error).message}`);
    }
  }
  writer.endFrame(start);
}

function writeArgument(writer: PlanWriter, kind: ArgumentKind, value: unknown): void {
  if (kind === "s") writer.string(value as string);
  else if (kind === "n") writer.u64(value as number | bigint);
  else if (kind === "b") writer.blob(value as Uint8Array);
  else writer.list(value as readonly string[]);
}

const U64_MAX = (1n << 64n) - 1n;

/** Collects frames in one buffer, which grows by doubling: the plan of a container's start has a hundred steps. */
class PlanWriter {
  #buffer = Buffer.allocUnsafe(32 * 1024);
  #size = 0;

  /** Reserves `size` bytes, and returns their offset. */
  #take(size: number): number {
    const at = this.#size;
    if (at + size > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, at + size));
      this.#buffer.copy(larger, 0, 0, at);
      this.#buffer = larger;
    }
    this.#size = at + size;
    return at;
  }

  /** Begins a frame; pass the result to `endFrame`, which writes the length. */
  beginFrame(kind: number): number {
    const at = this.#take(5);
    this.#buffer[at + 4] = kind;
    return at;
  }

  endFrame(start: number): void {
    const size = this.#size - start - 4;
    if (size > FRAME_MAX) throw new FrameError(`a frame of ${size} bytes is over the limit of ${FRAME_MAX}`);
    this.#buffer.writeUInt32LE(size, start);
  }

  u32(value: number): void {
    const at = this.#take(4);
    this.#buffer.writeUInt32LE(value, at);
  }

  u64(value: number | bigint): void {
    if (typeof value === "bigint") {
      if (value < 0n || value > U64_MAX) throw new RangeError(`${value} is not an unsigned 64-bit number`);
      const at = this.#take(8);
      this.#buffer.writeBigUInt64LE(value, at);
      return;
    }
    if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is not an exact integer`);
    if (value < 0) throw new RangeError(`${value} is not an unsigned 64-bit number`);
    const at = this.#take(8);
    this.#buffer.writeUInt32LE(value % 2 ** 32, at);
    this.#buffer.writeUInt32LE(Math.floor(value / 2 ** 32), at + 4);
  }

  raw(bytes: Uint8Array): void {
    const at = this.#take(bytes.length);
    this.#buffer.set(bytes, at);
  }

  blob(bytes: Uint8Array): void {
    const at = this.#take(bytes.length + 5);
    this.#buffer.writeUInt32LE(bytes.length, at);
    this.#buffer.set(bytes, at + 4);
    this.#buffer[at + 4 + bytes.length] = 0;
  }

  string(value: string): void {
    if (value.includes("\0")) throw new RangeError(`${JSON.stringify(value)} contains NUL`);
    const size = Buffer.byteLength(value);
    const at = this.#take(size + 5);
    this.#buffer.writeUInt32LE(size, at);
    this.#buffer.write(value, at + 4, size, "utf8");
    this.#buffer[at + 4 + size] = 0;
  }

  /** A step's name: one byte of length, ASCII. */
  name(value: string): void {
    const at = this.#take(1 + value.length);
    this.#buffer[at] = value.length;
    this.#buffer.write(value, at + 1, value.length, "latin1");
  }

  list(values: readonly string[]): void {
    this.u32(values.length);
    for (const value of values) this.string(value);
  }

  bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#size);
  }
}
