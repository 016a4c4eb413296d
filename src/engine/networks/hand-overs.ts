/** Namespaces that become their container's own: a mount keeps each until its container has run for a moment. */

import { point } from "../../base/point.ts";
import type { Executor } from "../../kernel/executor.ts";
import { Sweeper } from "../containers/sweeper.ts";
import { sandboxPlace } from "../places.ts";
import type { LiveSandboxes } from "./live-sandboxes.ts";
import { holderFor, isHandedOver, lead, namespaceOf, planHandingOver } from "./namespace-holder.ts";
import { writeSandbox } from "./sandbox-record.ts";

/** After its start: whoever lives shorter leaves the mount to its removal. */
const HAND_OVER_MS = 1000;

export interface HandOversParts {
  readonly executor: Executor;
  readonly live: LiveSandboxes;
  /** Of a namespace. */
  pathOf(sandboxId: string): string;
  /** As `EngineParts.background`. */
  background(what: string, work: () => Promise<void>): Promise<void>;
}

export class HandOvers {
  readonly #parts: HandOversParts;
  /** Of containers that run, and whose namespace a mount keeps for a moment longer. */
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();
  /** Several of them in one plan. */
  readonly #sweeper: Sweeper;

  constructor(parts: HandOversParts) {
    this.#parts = parts;
    this.#sweeper = new Sweeper((steps) => parts.executor.run(steps));
  }

  /** The container runs: its namespace is its own from now on. One that is short-lived does not get that far. */
  noteStart(containerId: string, runDir: string, pid: number): void {
    if (this.#parts.live.of(containerId) === undefined) return;
    const timer = setTimeout(() => {
      this.#timers.delete(containerId);
      void this.#parts.background(`the network namespace of ${containerId}`, () =>
        this.handOver(containerId, runDir, pid),
      );
    }, HAND_OVER_MS);
    timer.unref();
    this.#timers.set(containerId, timer);
  }

  /** @see namespace-holder.ts */
  handOver(containerId: string, runDir: string, pid: number): Promise<void> {
    return this.#parts.live.change(containerId, async (record) => {
      const path = this.#parts.pathOf(record.id);
      const holder = isHandedOver(path, record) ? undefined : holderFor(path, pid, record.holder);
      if (holder === undefined) return;
      const after = { ...record, holder };
      writeSandbox(runDir, after);
      const runs = this.#parts.live.note(containerId, after);
      point("network.holder.recorded");
      if (!runs) return;
      lead(sandboxPlace(runDir), namespaceOf(holder.pid)); // before the mount goes: somebody may be on the way
      await this.#sweeper.sweep(() => planHandingOver(path));
      lead(path, namespaceOf(holder.pid));
    });
  }

  /** The container has ended. */
  forget(containerId: string): void {
    clearTimeout(this.#timers.get(containerId));
    this.#timers.delete(containerId);
  }
}
