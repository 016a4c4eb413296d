/**
 * The memory through which a layer's content goes to the executor: parts that are filled one after the other, each again when
 * the executor has taken what was in it.
 */
import type { PlanStream } from "../kernel/plan-stream.ts";
import type { Step } from "../kernel/step.ts";
import { mapFile } from "../platform/map-file.ts";

/** Together two megabytes a layer: enough for either side to work on while the other does. */
const partBytes = 512 * 1024;
const parts = 4;
const why = "content goes to the executor through memory that both have";

export class SharedPieces {
  readonly #plan: PlanStream;
  readonly #memory: Uint8Array;
  /** For each part: the executor has taken what was in it. */
  readonly #taken: (Promise<unknown> | undefined)[] = Array(parts).fill(undefined);
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
    this.#taken[this.#part] = this.#plan.ask({ op: "taken", why });
    this.#part = (this.#part + 1) % parts;
    this.#used = 0;
    await this.#taken[this.#part];
  }

  /** The step that writes this piece to the last file; undefined when it lies elsewhere. */
  stepFor(data: Uint8Array, offset: number, why: string): Step | undefined {
    if (data.buffer !== this.#memory.buffer) return undefined;
    const at = data.byteOffset - this.#memory.byteOffset;
    return { op: "layer-shared-data", why, offset, at, size: data.length };
  }
}
