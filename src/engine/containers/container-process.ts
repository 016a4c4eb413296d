/** The engine's view of a running container or exec: its monitor, the monitor's socket for clients, its end. */

import { OrlopError } from "../../base/errors.ts";
import { log } from "../../base/log.ts";
import type { Attachment, Executor, Exited, GivenAway, GivenClient, MonitorLink } from "../../kernel/executor.ts";
import type { Step } from "../../kernel/step.ts";

/** How a program ended. */
export type End =
  | ({ readonly kind: "exited" } & Exited)
  /** The monitor is gone without having reported an end: processes of the container may still run. */
  | { readonly kind: "lost"; readonly reason: string };

export class ContainerProcess implements Disposable {
  readonly #executor: Executor;
  readonly #link: MonitorLink;
  readonly #socketPath: string;
  /** Started by this engine: its monitor is of this build, and has reported everything (OOM kills) before it reports the end. */
  readonly isOwn: boolean;
  /** Never rejects. */
  readonly ended: Promise<End>;

  constructor(executor: Executor, link: MonitorLink, { socketPath, isOwn }: { socketPath: string; isOwn: boolean }) {
    this.#executor = executor;
    this.isOwn = isOwn;
    this.#link = link;
    this.#socketPath = socketPath;
    this.ended = link.exited.then(
      (exited): End => ({ kind: "exited", ...exited }),
      (error: unknown): End => ({ kind: "lost", reason: error instanceof Error ? error.message : String(error) }),
    );
  }

  /** Spawns a plan's process, which waits at its gate. @throws {StepFailure} for a step before the process exists */
  static async spawn(executor: Executor, steps: readonly Step[], socketPath: string): Promise<ContainerProcess> {
    return new ContainerProcess(executor, await executor.startMonitor(steps), { socketPath, isOwn: true });
  }

  /** As `spawn`, without waiting at the gate. */
  static async spawnThrough(executor: Executor, steps: readonly Step[], socketPath: string): Promise<ContainerProcess> {
    return new ContainerProcess(executor, await executor.startMonitor(steps, { go: true }), {
      socketPath,
      isOwn: true,
    });
  }

  /** Continues with a plan that was begun ahead; undefined when that process has ended meanwhile, and the start can be made anew. */
  static async finish(
    executor: Executor,
    link: Promise<MonitorLink>,
    socketPath: string,
  ): Promise<ContainerProcess | undefined> {
    try {
      return new ContainerProcess(executor, await link, { socketPath, isOwn: true });
    } catch (error) {
      log("warn", "a start that was ready could not be gone on with", error);
      return undefined;
    }
  }

  /** Connects to the monitor of a process that an earlier engine started. @throws {OrlopError} executor_lost: there is no monitor */
  static async find(executor: Executor, socketPath: string): Promise<ContainerProcess> {
    return new ContainerProcess(executor, await executor.connectMonitor(socketPath), { socketPath, isOwn: false });
  }

  get link(): MonitorLink {
    return this.#link;
  }

  attach(streams: number, partial: boolean): Promise<Attachment> {
    return this.#executor.attachMonitor(this.#socketPath, { streams, partial });
  }

  /** As `attach`, but hands the client's own connection over to the monitor. */
  give(client: GivenClient): Promise<GivenAway> {
    return this.#executor.giveClient(this.#socketPath, client);
  }

  signal(signal: number): void {
    this.#link.signal(signal);
  }

  resize(rows: number, columns: number): void {
    checkTerminalSize(rows, columns);
    this.#link.resize(rows, columns);
  }

  [Symbol.dispose](): void {
    this.#link[Symbol.dispose]();
  }
}

/** @throws {OrlopError} bad_value */
export function checkTerminalSize(rows: number, columns: number): void {
  if (rows > 0 && columns > 0 && rows < 65_536 && columns < 65_536) return;
  throw OrlopError.of("bad_value", {
    what: "terminal size",
    value: `${rows}x${columns}`,
    expected: "1x1 to 65535x65535",
  });
}
