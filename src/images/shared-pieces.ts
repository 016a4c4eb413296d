/**
 * The memory through which a layer's content goes to the executor: parts that are filled one after the other, each again when
 * the executor has taken what was in it.
 */
import type { PlanStream } from "../kernel/plan-stream.ts";
import type { Step } from "../kernel/step.ts";
import { mapFile } from "../platform/map-file.ts";

const partBytes = 512 * 1024;
/**
 * Three megabytes a layer. On a busy machine each side waits some ten milliseconds for its turn: what lies ready is what it can do
 * then. On another a few parts are touched, as the first free one is the next.
 */
const parts = 6;
const why = "content goes to the executor through memory that both have";

export class SharedPieces {
  readonly #plan: PlanStream;
  readonly #memory: Uint8Array;
  readonly #free = Array.from({ length: parts - 1 }, (_, i) => i + 1);
  /** Parts that the executor has not taken yet: it takes them in this order. */
  readonly #given: Promise<unknown>[] = [];
  #part = 0;
  #used = 0;

  private constructor(plan: PlanStream, memory: Uint8Array) {
    this.#plan = plan;
    this.#memory = memory;
  }

  static async open(plan: PlanStream): Promise<SharedPieces> {
    const path = await plan.ask({ op: "shared-memory", why, size: partBytes * parts });
    return new SharedPieces(plan, mapFile(Buffer.from(path).toString()));
  }

  /** Free memory for what comes next. */
  get room(): Uint8Array {
    const begin = this.#part * partBytes;
    return this.#memory.subarray(begin + this.#used, begin + partBytes);
  }

  /** So much of the room was filled, and everything that is to be done with it is in the plan. */
  async fill(size: number): Promise<void> {
    this.#used += size;
    if (this.#used < partBytes) return;
    const part = this.#part;
    const taken = this.#plan.ask({ op: "taken", why }).then(() => {
      this.#given.shift();
      this.#free.push(part);
    });
    taken.catch(() => undefined); // who waits for it, or ends the plan, hears of it
    this.#given.push(taken);
    if (this.#free.length === 0) await this.#given[0];
    this.#part = Math.min(...this.#free);
    this.#free.splice(this.#free.indexOf(this.#part), 1);
    this.#used = 0;
  }

  /** The step that writes this piece to the last file; undefined when it lies elsewhere. */
  stepFor(data: Uint8Array, offset: number, why: string): Step | undefined {
    if (data.buffer !== this.#memory.buffer) return undefined;
    const at = data.byteOffset - this.#memory.byteOffset;
    return { op: "layer-shared-data", why, offset, at, size: data.length };
  }
}
