/**
 * A plan that is sent while it is still being made: a layer is far larger than memory should be. Steps are encoded into
 * pieces of a few hundred KiB; the executor carries each out as it comes, and the socket's back-pressure slows us down.
 */
import type { Duplex } from "node:stream";
import { OrlopError } from "../base/errors.ts";
import { errnoName } from "./executor.ts";
import { type Answer, encodeBare, encodeHello, FRAME_MAX, FrameDecoder, FrameError, frameKind } from "./frame.ts";
import { type ArgumentKind, type Step, type StepName, stepTable } from "./step.ts";

const pieceBytes = 256 * 1024;

/** A step that the kernel refused. errno: its name. detail: mostly the path. */
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
  /** Steps whose answer somebody waits for. */
  readonly #asked = new Map<number, PromiseWithResolvers<Uint8Array>>();

  /**
   * The connection is to a fresh task: control.sock, or the stdio of `orlop-executor plan`.
   *
   * @param onValue takes what steps answer, as it comes
   */
  constructor(connection: Duplex, onValue: (value: Uint8Array) => void = () => undefined) {
    this.#connection = connection;
    this.#onValue = onValue;
    this.#answered.promise.catch(() => undefined); // heard in `flush` and `end`
    connection.on("data", (chunk: Uint8Array) => this.#take(chunk));
    connection.on("error", (error) => this.#lose(error.message));
    connection.on("close", () => this.#lose("the connection was closed"));
    connection.on("end", () => this.#lose("the executor ended"));
    this.#append(encodeHello());
  }

  /** Adds a step. Its arguments are copied at once. The reason stays here. */
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

  /** Adds a step and sends all; its answer. @throws {StreamedStepFailure}; {OrlopError} executor_lost */
  ask(step: Step): Promise<Uint8Array> {
    const asked = Promise.withResolvers<Uint8Array>();
    asked.promise.catch(() => undefined); // who asked may have left for a failure of its own
    if (this.#failure !== undefined) {
      asked.reject(this.#failure);
      return asked.promise;
    }
    this.#asked.set(this.#count, asked);
    this.add(step);
    this.#send();
    return asked.promise;
  }

  /** Sends what was added so far, however little: an answer is waited for. */
  send(): void {
    this.#send();
  }

  /** Settles when all steps are carried out; rejects as soon as one failed. */
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
   * Leaves in the middle, and waits until the executor has stopped: what it made is the caller's to remove, and nothing may
   * still be writing there.
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

  /** Room for a frame: a full piece is sent, a larger frame gets a larger piece. */
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
    // the piece belongs to the connection until it is written: fresh memory for each would be gigabytes for a layer
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
