/**
 * A plan as a template for plans that differ from it in the container's id only (also where 12 digits of it are used, as in host
 * names). Filling the template costs a few copies; making and encoding a plan is most of the engine's work for a container.
 */

import { encodePlan, rememberEncoded } from "./plan.ts";
import type { Step } from "./step.ts";

/** The digits of an id that are used alone. */
const SHORT = 12;

/** Makes a copy of a value with another id in it. */
type Maker<T> = (id: string) => T;

export class PlanTemplate {
  readonly #steps: readonly Step[];
  /** For the steps that the id occurs in. */
  readonly #makers: readonly (readonly [index: number, make: Maker<Step>])[];
  readonly #encode: Maker<Buffer>;

  constructor(id: string, steps: readonly Step[]) {
    this.#steps = steps;
    this.#makers = [...steps.entries()].flatMap(([index, step]) => {
      const make = makerOf(step, id);
      return make === undefined ? [] : [[index, make] as const];
    });
    this.#encode = makerOfBytes(asBuffer(encodePlan(steps)), id) ?? (() => asBuffer(encodePlan(steps)));
  }

  /** The plan for another id. Its encoding is cached for `encodePlan`. */
  fill(id: string): readonly Step[] {
    const steps = [...this.#steps];
    for (const [index, make] of this.#makers) steps[index] = make(id);
    rememberEncoded(steps, this.#encode(id));
    return steps;
  }

  /** Whether `fill(id)` gives the same bytes as `steps`, which were planned without the template. Must be checked before it is used. */
  matches(id: string, steps: readonly Step[]): boolean {
    return this.#encode(id).equals(encodePlan(steps));
  }
}

/** A copy of a value with another id in its strings and bytes, at any depth. */
export function withOtherId<T>(value: T, from: string, to: string): T {
  return makerOf(value, from)?.(to) ?? value;
}

/** undefined if the id does not occur in the value. */
function makerOf<T>(value: T, id: string): Maker<T> | undefined {
  if (typeof value === "string") return makerOfText(value, id) as Maker<T> | undefined;
  if (value instanceof Uint8Array) return makerOfBytes(asBuffer(value), id) as Maker<T & Buffer> | undefined;
  if (typeof value !== "object" || value === null) return undefined;
  const makers = Object.entries(value).flatMap(([key, one]) => {
    const make = makerOf(one as unknown, id);
    return make === undefined ? [] : [[key, make] as const];
  });
  if (makers.length === 0) return undefined;
  return (to) => {
    const copy = (Array.isArray(value) ? [...value] : { ...value }) as Record<string, unknown>;
    for (const [key, make] of makers) copy[key] = make(to);
    return copy as T;
  };
}

function makerOfText(text: string, id: string): Maker<string> | undefined {
  const [first = "", ...rest] = text.split(new RegExp(`(${id}|${id.slice(0, SHORT)})`));
  if (rest.length === 0) return undefined;
  return (to) => {
    let made = first;
    for (let at = 0; at < rest.length; at += 2) made += to.slice(0, rest[at]?.length) + (rest[at + 1] ?? "");
    return made;
  };
}

function makerOfBytes(bytes: Buffer, id: string): Maker<Buffer> | undefined {
  const offsets = offsetsOf(bytes, id);
  if (offsets.length === 0) return undefined;
  return (to) => {
    const copy = Buffer.from(bytes);
    for (const [at, size] of offsets) copy.write(to, at, size, "latin1");
    return copy;
  };
}

/** Where the id occurs, and how many of its digits. */
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
