/** Hands network namespaces over to their containers: a mount keeps each alive until its container has run for a moment. */

import { point } from "../../base/point.ts";
import type { Executor } from "../../kernel/executor.ts";
import { Sweeper } from "../containers/sweeper.ts";
import { sandboxPlace } from "../places.ts";
import type { LiveSandboxes } from "./live-sandboxes.ts";
import { holderFor, isHandedOver, namespaceOf, planHandingOver, replaceLink } from "./namespace-holder.ts";
import { writeSandbox } from "./sandbox-record.ts";

/** The delay after a start. For a container that ends earlier, the mount is removed with the sandbox. */
const HAND_OVER_MS = 1000;

export interface HandOversParts {
  readonly executor: Executor;
  readonly live: LiveSandboxes;
  /** The path of a namespace. */
  pathOf(sandboxId: string): string;
  /** As `EngineParts.background`. */
  background(what: string, work: () => Promise<void>): Promise<void>;
}

export class HandOvers {
  readonly #parts: HandOversParts;
  /** By container id. */
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();
  /** Unmounts several in one plan. */
  readonly #sweeper: Sweeper;

  constructor(parts: HandOversParts) {
    this.#parts = parts;
    this.#sweeper = new Sweeper((steps) => parts.executor.run(steps));
  }

  /** Called when the container runs: its namespace is handed over after the delay. */
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
      const runs = this.#parts.live.update(containerId, after);
      point("network.holder.recorded");
      if (!runs) return;
      replaceLink(sandboxPlace(runDir), namespaceOf(holder.pid)); // before the mount is removed: somebody may be following the link
      await this.#sweeper.sweep(() => planHandingOver(path));
      replaceLink(path, namespaceOf(holder.pid));
    });
  }

  /** Called when the container has ended. */
  forget(containerId: string): void {
    clearTimeout(this.#timers.get(containerId));
    this.#timers.delete(containerId);
  }
}
