/**
 * A plan that others are cast from which differ from it in an id alone, and in what begins with it (host names). Such a plan costs
 * a few copies, where making and encoding one costs most of what the engine does for a container.
 */

import { encodePlan, rememberEncoded } from "./plan.ts";
import type { Step } from "./step.ts";

/** So many digits of an id are used alone. */
const SHORT = 12;

/** Whose plan it is, and for whom another one is wanted. */
interface Ids {
  readonly from: string;
  readonly to: string;
}

export class PlanMould {
  readonly #id: string;
  readonly #steps: readonly Step[];
  /** Places in `steps` where the id is. */
  readonly #marked: readonly number[];
  readonly #bytes: Buffer;
  /** Where the id begins in `bytes`, and how much of it is there. */
  readonly #offsets: readonly (readonly [at: number, size: number])[];

  constructor(id: string, steps: readonly Step[]) {
    this.#id = id;
    this.#steps = steps;
    this.#marked = [...steps.keys()].filter((index) => holds(steps[index], id));
    this.#bytes = asBuffer(encodePlan(steps));
    this.#offsets = offsetsOf(this.#bytes, id);
  }

  /** The plan for another id, which `encodePlan` knows already. */
  cast(id: string): readonly Step[] {
    const ids = { from: this.#id, to: id };
    const steps = [...this.#steps];
    for (const index of this.#marked) steps[index] = renamed(steps[index], ids) as Step;
    rememberEncoded(steps, this.#encode(id));
    return steps;
  }

  /** Whether this, which was made without a mould, is what would be cast for that id: only then is the mould good. */
  gives(id: string, steps: readonly Step[]): boolean {
    return this.#encode(id).equals(encodePlan(steps));
  }

  #encode(id: string): Buffer {
    const bytes = Buffer.from(this.#bytes);
    for (const [at, size] of this.#offsets) bytes.write(id, at, size, "latin1");
    return bytes;
  }
}

/** The same value with another id in it: strings and bytes in objects and lists, however deep. */
export function renamed(value: unknown, ids: Ids): unknown {
  if (typeof value === "string") return renamedText(value, ids);
  if (value instanceof Uint8Array) return renamedBytes(value, ids);
  if (Array.isArray(value)) return value.map((one) => renamed(one, ids));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, renamed(one, ids)]));
}

/** In one go: what was put in is not looked at again. */
function renamedText(text: string, { from, to }: Ids): string {
  const short = from.slice(0, SHORT);
  if (!text.includes(short)) return text;
  return text.replaceAll(new RegExp(`${from}|${short}`, "g"), ({ length }) => to.slice(0, length));
}

function renamedBytes(bytes: Uint8Array, { from, to }: Ids): Uint8Array {
  const offsets = offsetsOf(asBuffer(bytes), from);
  if (offsets.length === 0) return bytes;
  const copy = Buffer.from(bytes);
  for (const [at, size] of offsets) copy.write(to, at, size, "latin1");
  return copy;
}

function holds(step: Step | undefined, id: string): boolean {
  const short = id.slice(0, SHORT);
  return Object.values(step ?? {}).some((value: unknown) => {
    if (value instanceof Uint8Array) return asBuffer(value).includes(short, 0, "latin1");
    return typeof value === "string"
      ? value.includes(short)
      : Array.isArray(value) && value.some((one: string) => one.includes(short));
  });
}

function offsetsOf(bytes: Buffer, id: string): (readonly [at: number, size: number])[] {
  const short = id.slice(0, SHORT);
  const offsets: (readonly [number, number])[] = [];
  for (let at = bytes.indexOf(short, 0, "latin1"); at >= 0; at = bytes.indexOf(short, at, "latin1")) {
    const size = bytes.toString("latin1", at, at + id.length) === id ? id.length : SHORT;
    offsets.push([at, size]);
    at += size;
  }
  return offsets;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
