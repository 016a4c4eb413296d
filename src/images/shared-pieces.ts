/**
 * The shared memory through which a layer's content goes to the executor, in parts that are filled one after the other and reused when
 * the executor has taken their content.
 */
import type { PlanStream } from "../kernel/plan-stream.ts";
import type { Step } from "../kernel/step.ts";
import { mapFile } from "../platform/map-file.ts";

const partBytes = 1 << 20;
/**
 * Four megabytes per layer. On a busy machine each side waits some ten milliseconds to run, and the parts that are ready are what it
 * can work on then. On an idle machine few parts are ever touched, because the first free one is used next.
 */
const parts = 4;
const why = "content goes to the executor through memory that both have";

export class SharedPieces {
  readonly #plan: PlanStream;
  readonly #memory: Uint8Array;
  readonly #free = Array.from({ length: parts }, (_, i) => i);
  /** Parts that the executor has not taken yet, in the order in which it will take them. */
  readonly #given: Promise<unknown>[] = [];

  private constructor(plan: PlanStream, memory: Uint8Array) {
    this.#plan = plan;
    this.#memory = memory;
  }

  static async open(plan: PlanStream): Promise<SharedPieces> {
    const path = await plan.ask({ op: "shared-memory", why, size: partBytes * parts });
    return new SharedPieces(plan, mapFile(Buffer.from(path).toString()));
  }

  /** A free part for what comes next, as soon as there is one: the caller's until it is given. */
  async room(): Promise<Uint8Array> {
    while (this.#free.length === 0) await this.#given[0];
    const part = Math.min(...this.#free);
    this.#free.splice(this.#free.indexOf(part), 1);
    return this.#memory.subarray(part * partBytes, (part + 1) * partBytes);
  }

  /** All steps that read this part are in the plan. */
  give(room: Uint8Array): void {
    const part = (room.byteOffset - this.#memory.byteOffset) / partBytes;
    const taken = this.#plan.ask({ op: "taken", why }).then(() => {
      this.#given.shift();
      this.#free.push(part);
    });
    taken.catch(() => undefined); // reported to the next waiter, or at the plan's end
    this.#given.push(taken);
  }

  /** The step that writes this piece to the last file; undefined when the piece is not in this memory. */
  stepFor(data: Uint8Array, offset: number, why: string): Step | undefined {
    if (data.buffer !== this.#memory.buffer) return undefined;
    const at = data.byteOffset - this.#memory.byteOffset;
    return { op: "layer-shared-data", why, offset, at, size: data.length };
  }
}
