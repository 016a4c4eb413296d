/** Plans as bytes: steps become the frames of native/README.md. Pure; limits are checked here, before anything is sent. */

import { encodeBare, encodeFrame, encodeHello, FrameError, frameKind } from "./frame.ts";
import { type ArgumentKind, type Step, stepTable } from "./step.ts";

const text = new TextEncoder();

/** A whole conversation's opening: HELLO, every step numbered by its place, END. */
export function encodePlan(steps: readonly Step[]): Uint8Array {
  const frames = [encodeHello(), ...steps.map(encodeStep), encodeBare("END")];
  const size = frames.reduce((sum, frame) => sum + frame.length, 0);
  const plan = new Uint8Array(size);
  let at = 0;
  for (const frame of frames) {
    plan.set(frame, at);
    at += frame.length;
  }
  return plan;
}

/** One STEP frame. `index` is what answers about this step carry. */
export function encodeStep(step: Step, index: number): Uint8Array {
  const writer = new PayloadWriter();
  writer.u32(index);
  const name = text.encode(step.op);
  writer.u8(name.length);
  writer.raw(name);
  const values = step as unknown as Readonly<Record<string, unknown>>;
  for (const [argument, kind] of Object.entries(stepTable[step.op]) as [string, ArgumentKind][]) {
    try {
      encodeArgument(writer, kind, values[argument]);
    } catch (error) {
      throw new FrameError(`step ${index} (${step.op}), argument ${argument}: ${(error as Error).message}`);
    }
  }
  return encodeFrame(frameKind.STEP, writer.bytes());
}

function encodeArgument(writer: PayloadWriter, kind: ArgumentKind, value: unknown): void {
  if (kind === "s") writer.string(value as string);
  else if (kind === "n") writer.u64(value as number | bigint);
  else if (kind === "b") writer.blob(value as Uint8Array);
  else writer.list(value as readonly string[]);
}

const U64_MAX = (1n << 64n) - 1n;

/** Collects a payload; grows by doubling. */
class PayloadWriter {
  #buffer = new Uint8Array(256);
  #size = 0;

  #room(size: number): DataView {
    if (this.#size + size > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(this.#buffer.length * 2, this.#size + size));
      larger.set(this.#buffer.subarray(0, this.#size));
      this.#buffer = larger;
    }
    const view = new DataView(this.#buffer.buffer, this.#size, size);
    this.#size += size;
    return view;
  }

  u8(value: number): void {
    this.#room(1).setUint8(0, value);
  }

  u32(value: number): void {
    this.#room(4).setUint32(0, value, true);
  }

  u64(value: number | bigint): void {
    if (typeof value === "number" && !Number.isSafeInteger(value))
      throw new RangeError(`${value} is not an exact integer`);
    const wide = BigInt(value);
    if (wide < 0n || wide > U64_MAX) throw new RangeError(`${value} is not an unsigned 64-bit number`);
    this.#room(8).setBigUint64(0, wide, true);
  }

  raw(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#buffer.set(bytes, this.#size - bytes.length);
  }

  blob(bytes: Uint8Array): void {
    this.u32(bytes.length);
    this.raw(bytes);
    this.u8(0);
  }

  string(value: string): void {
    if (value.includes("\0")) throw new RangeError(`${JSON.stringify(value)} contains NUL`);
    this.blob(text.encode(value));
  }

  list(values: readonly string[]): void {
    this.u32(values.length);
    for (const value of values) this.string(value);
  }

  bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#size);
  }
}
