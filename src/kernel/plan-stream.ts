/**
 * A plan that is sent while it is being made, for content that should not be in memory at once, such as a layer's. Steps are encoded
 * into pieces of a few hundred KiB. The executor carries out each step as it arrives, and the socket's back-pressure slows us down.
 */
import type { Duplex } from "node:stream";
import { OrlopError } from "../base/errors.ts";
import { errnoName } from "./executor.ts";
import { type Answer, encodeBare, encodeHello, FRAME_MAX, FrameDecoder, FrameError, frameKind } from "./frame.ts";
import { type ArgumentKind, type Step, type StepName, stepTable } from "./step.ts";

const pieceBytes = 256 * 1024;

/** A step that failed. errno: its name. detail: usually the path. */
export class StreamedStepFailure extends Error {
  readonly errno: string;
  readonly detail: string;

  constructor(errno: string, detail: string) {
    super(detail === "" ? errno : `${detail}: ${errno}`);
    this.errno = errno;
    this.detail = detail;
  }
}

interface EncodedName {
  readonly bytes: Buffer;
  readonly arguments: readonly (readonly [name: string, kind: ArgumentKind])[];
}

const encodedNames = new Map<StepName, EncodedName>(
  (Object.keys(stepTable) as StepName[]).map((op) => [
    op,
    { bytes: Buffer.from(op), arguments: Object.entries(stepTable[op]) as [string, ArgumentKind][] },
  ]),
);

export class PlanStream {
  readonly #connection: Duplex;
  readonly #decoder = new FrameDecoder();
  readonly #onValue: (value: Uint8Array) => void;
  readonly #answered = Promise.withResolvers<void>();
  #failure: Error | undefined;
  #isOver = false;
  #piece: Buffer = Buffer.allocUnsafe(pieceBytes);
  #used = 0;
  readonly #free: Buffer[] = [];
  #count = 0;
  /** Steps of `ask`, by index. */
  readonly #asked = new Map<number, PromiseWithResolvers<Uint8Array>>();

  /**
   * The connection is to a fresh task: control.sock, or the stdio of `orlop-executor plan`.
   *
   * @param onValue takes the VALUEs of steps that were added by `add`, as they arrive
   */
  constructor(connection: Duplex, onValue: (value: Uint8Array) => void = () => undefined) {
    this.#connection = connection;
    this.#onValue = onValue;
    this.#answered.promise.catch(() => undefined); // reported by `flush` and `end`
    connection.on("data", (chunk: Uint8Array) => this.#take(chunk));
    connection.on("error", (error) => this.#lose(error.message));
    connection.on("close", () => this.#lose("the connection was closed"));
    connection.on("end", () => this.#lose("the executor ended"));
    this.#append(encodeHello());
  }

  /** Adds a step. Its arguments are copied at once; its `why` is not sent. */
  add(step: Step): void {
    const encoded = encodedNames.get(step.op) as EncodedName;
    const values = step as unknown as Readonly<Record<string, unknown>>;
    let size = 1 + 4 + 1 + encoded.bytes.length;
    for (const [name, kind] of encoded.arguments) size += sizeOf(kind, values[name]);
    if (size > FRAME_MAX) throw new FrameError(`step ${step.op} has ${size} bytes`);
    this.#reserve(4 + size);
    this.#u32(size);
    this.#piece[this.#used++] = frameKind.STEP;
    this.#u32(this.#count++);
    this.#piece[this.#used++] = encoded.bytes.length;
    this.#raw(encoded.bytes);
    for (const [name, kind] of encoded.arguments) this.#argument(kind, values[name]);
  }

  /** Adds a step, sends everything, and returns the step's VALUE. @throws {StreamedStepFailure}; {OrlopError} executor_lost */
  ask(step: Step): Promise<Uint8Array> {
    const asked = Promise.withResolvers<Uint8Array>();
    asked.promise.catch(() => undefined); // the caller may have failed by itself and not wait any more
    if (this.#failure !== undefined) {
      asked.reject(this.#failure);
      return asked.promise;
    }
    this.#asked.set(this.#count, asked);
    this.add(step);
    this.#send();
    return asked.promise;
  }

  /** Sends what was added so far, because an answer is needed now. */
  send(): void {
    this.#send();
  }

  /** Settles when all steps were carried out; rejects as soon as one fails. */
  get answered(): Promise<void> {
    return this.#answered.promise;
  }

  /** Settles when the executor can take more. @throws {StreamedStepFailure}; {OrlopError} executor_lost */
  async flush(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (!this.#connection.writableNeedDrain) return;
    const drained = Promise.withResolvers<void>();
    const done = (): void => drained.resolve();
    this.#connection.once("drain", done);
    try {
      await Promise.race([drained.promise, this.#answered.promise]);
    } finally {
      this.#connection.off("drain", done);
    }
  }

  /** No more steps: settles when all are carried out. @throws {StreamedStepFailure}; {OrlopError} executor_lost */
  async end(): Promise<void> {
    this.#append(encodeBare("END"));
    this.#send();
    try {
      await this.#answered.promise;
    } finally {
      this.#connection.destroy();
    }
  }

  /**
   * Gives up the plan, and waits until the executor has stopped, so that the caller can remove what it made.
   */
  async abandon(): Promise<void> {
    if (!this.#isOver) {
      const stopped = this.#answered.promise.catch(() => undefined);
      this.#connection.end(); // it answers FAILED: the plan ended before END
      await stopped;
    }
    this.#connection.destroy();
  }

  #take(chunk: Uint8Array): void {
    try {
      for (const answer of this.#decoder.push(chunk)) this.#answer(answer);
    } catch (error) {
      this.#lose((error as Error).message);
    }
  }

  #answer(answer: Answer): void {
    if (answer.kind === "DONE") {
      this.#isOver = true;
      this.#answered.resolve();
    } else if (answer.kind === "FAILED") {
      this.#fail(new StreamedStepFailure(errnoName(answer.errno), answer.detail));
    } else if (answer.kind === "VALUE") {
      const asked = this.#asked.get(answer.step);
      this.#asked.delete(answer.step);
      if (asked === undefined) this.#onValue(answer.value);
      else asked.resolve(answer.value);
    }
  }

  #lose(reason: string): void {
    this.#fail(OrlopError.of("executor_lost", { reason }));
  }

  #fail(error: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#failure = error;
    this.#answered.reject(error);
    for (const { reject } of this.#asked.values()) reject(error);
  }

  #append(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#raw(bytes);
  }

  /** Makes room for a frame: sends a full piece; a frame larger than a piece gets a larger one. */
  #reserve(size: number): void {
    if (this.#used + size <= this.#piece.length) return;
    this.#send();
    if (size > this.#piece.length) this.#piece = Buffer.allocUnsafe(size);
  }

  #send(): void {
    if (this.#used > 0 && this.#failure === undefined) {
      const sent = this.#piece;
      this.#connection.write(sent.subarray(0, this.#used), () => this.#giveBack(sent));
    }
    // the piece belongs to the connection until it is written, and is then reused: new ones for each would be gigabytes per layer
    this.#piece = this.#free.pop() ?? Buffer.allocUnsafe(pieceBytes);
    this.#used = 0;
  }

  #giveBack(piece: Buffer): void {
    if (piece.length === pieceBytes) this.#free.push(piece);
  }

  #argument(kind: ArgumentKind, value: unknown): void {
    if (kind === "n") this.#number(value as number | bigint);
    else if (kind === "b") this.#blob(value as Uint8Array);
    else if (kind === "s") this.#blob(Buffer.from(value as string));
    else {
      const list = value as readonly string[];
      this.#u32(list.length);
      for (const item of list) this.#blob(Buffer.from(item));
    }
  }

  #number(value: number | bigint): void {
    if (typeof value === "bigint") {
      this.#piece.writeBigUInt64LE(value, this.#used);
      this.#used += 8;
    } else {
      if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${value} is not an exact unsigned integer`);
      this.#u32(value % 0x1_0000_0000);
      this.#u32(Math.floor(value / 0x1_0000_0000));
    }
  }

  #blob(bytes: Uint8Array): void {
    this.#u32(bytes.length);
    this.#raw(bytes);
    this.#piece[this.#used++] = 0;
  }

  #u32(value: number): void {
    this.#piece.writeUInt32LE(value, this.#used);
    this.#used += 4;
  }

  #raw(bytes: Uint8Array): void {
    this.#piece.set(bytes, this.#used);
    this.#used += bytes.length;
  }
}

function sizeOf(kind: ArgumentKind, value: unknown): number {
  if (kind === "n") return 8;
  if (kind === "b") return 5 + (value as Uint8Array).length;
  if (kind === "s") return 5 + Buffer.byteLength(value as string);
  return (value as readonly string[]).reduce((sum, item) => sum + 5 + Buffer.byteLength(item), 4);
}
