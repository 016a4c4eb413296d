/**
 * Events of containers, images, networks and volumes: published by the engine's objects, streamed to listeners, and kept for a while for
 * `since`. Publishing never waits for a listener.
 */

import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { log } from "../../base/log.ts";

export interface EngineEvent {
  /** Docker's name of the kind of object. */
  readonly type: "builder" | "container" | "daemon" | "image" | "network" | "volume";
  /** e.g. "start", "exec_create: sh -c true". */
  readonly action: string;
  /** The object's id or name; "" for events that concern several (`prune`). */
  readonly id: string;
  /** Docker's attributes for this action. */
  readonly attributes: Readonly<Record<string, string>>;
  /** Labels of a container or an image, sent as attributes too, unless an attribute has the same name. Not copied, because there may be many. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Unix time; strictly increasing. */
  readonly timeNs: bigint;
}

export interface EventQuery {
  /** Begin with the kept events from this time on. */
  readonly sinceNs?: bigint;
  /** End at this time. */
  readonly untilNs?: bigint;
  matches(event: EngineEvent): boolean;
}

/** Limits of the events kept for `since`, by number and by size: an image may have megabytes of labels, and a health check every second. */
const HISTORY_EVENTS = 1024;
const HISTORY_BYTES = 16 * 1024 * 1024;
/** A listener that is so far behind is disconnected, rather than losing events silently. */
const BEHIND_EVENTS = 10_000;
const BEHIND_BYTES = 16 * HISTORY_BYTES;

interface Listener {
  waiting: EngineEvent[];
  waitingBytes: number;
  isLost: boolean;
  wake(): void;
}

export class Events {
  readonly #listeners = new Set<Listener>();
  #history: EngineEvent[] = [];
  #historyBytes = 0;
  #lastNs = 0n;

  /** The number of listeners. */
  get listeners(): number {
    return this.#listeners.size;
  }

  publish(event: Omit<EngineEvent, "timeNs">): void {
    const nowNs = BigInt(Date.now()) * 1_000_000n;
    this.#lastNs = nowNs > this.#lastNs ? nowNs : this.#lastNs + 1n;
    const told: EngineEvent = { ...event, timeNs: this.#lastNs };
    this.#keep(told);
    for (const listener of this.#listeners) {
      if (listener.waiting.length < BEHIND_EVENTS && listener.waitingBytes < BEHIND_BYTES) listener.waiting.push(told);
      else listener.isLost = true;
      listener.waitingBytes += sizeOf(told, listener.waiting.at(-2));
      listener.wake();
    }
  }

  /**
   * Matching events, oldest first: with `sinceNs` or `untilNs` the kept ones, then new ones. Ends when `signal` is aborted, or at
   * `untilNs`.
   */
  async *read(query: EventQuery, signal: AbortSignal): AsyncGenerator<EngineEvent, void> {
    const { sinceNs, untilNs } = query;
    const listener: Listener = { waiting: [], waitingBytes: 0, isLost: false, wake: () => undefined };
    if (sinceNs !== undefined || untilNs !== undefined)
      listener.waiting = this.#history.filter(({ timeNs }) => timeNs >= (sinceNs ?? 0n));
    this.#listeners.add(listener);
    const end = untilNs === undefined ? undefined : timerUntil(untilNs, () => listener.wake());
    const abort = (): void => listener.wake();
    signal.addEventListener("abort", abort);
    try {
      while (!signal.aborted) {
        if (listener.isLost) throw new Error(`a client was ${listener.waiting.length} events behind`);
        const waiting = listener.waiting;
        listener.waiting = [];
        listener.waitingBytes = 0;
        for (const event of waiting) {
          if (untilNs !== undefined && event.timeNs > untilNs) return;
          if (query.matches(event)) yield event;
        }
        if (untilNs !== undefined && BigInt(Date.now()) * 1_000_000n >= untilNs && listener.waiting.length === 0)
          return;
        if (listener.waiting.length > 0 || signal.aborted) continue;
        await new Promise<void>((resolve) => {
          listener.wake = resolve;
        });
      }
    } finally {
      this.#listeners.delete(listener);
      signal.removeEventListener("abort", abort);
      end?.();
    }
  }

  /** Saves the kept events for the next engine: clients should not notice that an idle engine has left. */
  save(path: string): void {
    const rows: string[] = [];
    let left = HISTORY_BYTES;
    for (const event of this.#history.toReversed()) {
      const row = JSON.stringify({ ...event, timeNs: String(event.timeNs) });
      left -= row.length;
      if (left < 0) break;
      rows.push(row);
    }
    writeFileSync(path, rows.reverse().join("\n"), { mode: 0o600 });
  }

  /** Loads what `save` has written. A broken entry ends the loading. */
  load(path: string): void {
    try {
      const rows = readFileSync(path, "utf8").split("\n");
      rmSync(path, { force: true });
      for (const row of rows) {
        if (row === "") continue;
        const event = JSON.parse(row) as Omit<EngineEvent, "timeNs"> & { readonly timeNs: string };
        this.#keep({ ...event, timeNs: BigInt(event.timeNs) });
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") log("warn", `the events in ${path} are lost`, error);
    }
  }

  #keep(event: EngineEvent): void {
    this.#history.push(event);
    this.#historyBytes += sizeOf(event, this.#history.at(-2));
    if (this.#history.length < 2 * HISTORY_EVENTS && this.#historyBytes < HISTORY_BYTES) return;
    const newest = this.#history.slice(-HISTORY_EVENTS).reverse();
    this.#historyBytes = 0;
    const tooMany = newest.findIndex((one, at) => {
      this.#historyBytes += sizeOf(one, newest[at - 1]);
      return this.#historyBytes > HISTORY_BYTES / 2;
    });
    this.#history = (tooMany < 0 ? newest : newest.slice(0, tooMany)).reverse();
  }
}

/** The event's attributes, with labels. */
export function attributesOf({ attributes, labels }: EngineEvent): Readonly<Record<string, string>> {
  return { ...labels, ...attributes };
}

/** One attribute or label. */
export function attributeOf({ attributes, labels }: EngineEvent, name: string): string | undefined {
  if (Object.hasOwn(attributes, name)) return attributes[name];
  return labels !== undefined && Object.hasOwn(labels, name) ? labels[name] : undefined;
}

const ENTRY_BYTES = 64;
const sizes = new WeakMap<object, number>();

/** About how much memory the event takes. Labels that it shares with another event count once. */
function sizeOf({ action, attributes, labels }: EngineEvent, beside: EngineEvent | undefined): number {
  const isShared = labels === undefined || labels === beside?.labels;
  return action.length + sizeOfAll(attributes) + (isShared ? 0 : sizeOfAll(labels));
}

function sizeOfAll(values: Readonly<Record<string, string>>): number {
  let size = sizes.get(values);
  if (size === undefined) {
    size = ENTRY_BYTES;
    for (const name in values) size += ENTRY_BYTES + name.length + (values[name]?.length ?? 0);
    sizes.set(values, size);
  }
  return size;
}

/** The longest delay of setTimeout. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/** Calls `wake` at a time. @returns a function that cancels the timer */
function timerUntil(timeNs: bigint, wake: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const arm = (): void => {
    const leftMs = Number(timeNs / 1_000_000n) + 1 - Date.now();
    timer = leftMs > TIMER_MAX_MS ? setTimeout(arm, TIMER_MAX_MS) : setTimeout(wake, Math.max(0, leftMs));
  };
  arm();
  return () => clearTimeout(timer);
}
