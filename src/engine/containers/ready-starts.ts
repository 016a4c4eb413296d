/**
 * While `--rm` containers of one kind follow each other, the start of the next is begun before it is asked for: its group, its
 * namespaces, the kernel's file systems in them, up to the `ready` step of its plan, which depends on nothing but the kind.
 *
 * What is ready has an id of its own, and becomes the container of that id or none: it is used once. It is used only when the
 * plan of the new container begins with the very bytes that were sent ahead, on a machine whose mounts are the same. One that
 * nobody wants for a second is taken back; one whose engine died ends by itself, and the next engine clears its folders away.
 */

import { mkdirSync } from "node:fs";
import { type ContainerId, newContainerId } from "../../base/id.ts";
import { log } from "../../base/log.ts";
import { point } from "../../base/point.ts";
import type { BegunMonitor, MonitorLink } from "../../kernel/executor.ts";
import { encodeBeginning } from "../../kernel/plan.ts";
import type { Step } from "../../kernel/step.ts";
import { beginningOf } from "../../runtime/plan-container.ts";
import type { ContainerCreateBody } from "../../spec/engine-api-container.ts";
import { readHostView } from "../../storage/host-view.ts";
import type { EngineParts } from "../engine-parts.ts";
import type { MountPoint } from "../mounts/mount-point.ts";
import { networkModeOf } from "../networks/network-mode.ts";
import { containerPlaces } from "../places.ts";
import { planStart, type StartPlan } from "./container-plan.ts";
import type { ContainerRecord } from "./container-record.ts";
import { sharesAny } from "./sharing.ts";

/** Starts that follow each other within so long… */
const PATIENCE_MS = 1000;
/** …and so many of one kind make the next one likely. */
const ENOUGH = 3;

type Parts = Pick<EngineParts, "machine" | "places" | "executor" | "background" | "clearAway">;
type Like = Pick<ContainerRecord, "name" | "body" | "image" | "mounts">;

/** The beginning of a start, for a container that is to have this id. */
export class ReadyStart {
  readonly id: ContainerId;
  readonly groupPath: string;
  readonly kind: string;
  readonly #begun: BegunMonitor;
  readonly #mounts: unknown;
  isAlive = true;
  /** It is a container's. */
  isUsed = false;

  constructor(id: ContainerId, kind: string, groupPath: string, begun: BegunMonitor, mounts: unknown) {
    this.id = id;
    this.kind = kind;
    this.groupPath = groupPath;
    this.#begun = begun;
    this.#mounts = mounts;
    void begun.closed.then(() => {
      this.isAlive = false;
    });
  }

  /** Whether this is how the container would begin. */
  fits({ steps }: StartPlan, mounts: readonly MountPoint[]): boolean {
    if (mounts.some(({ type }) => type === "volume")) return false; // those are mounted first
    const beginning = encodeBeginning(beginningOf(steps));
    return this.isAlive && Buffer.compare(beginning, this.#begun.bytes) === 0 && this.#mounts === readHostView().mounts;
  }

  /** @throws as `BegunMonitor.finish` */
  finish(steps: readonly Step[]): Promise<MonitorLink> {
    this.isUsed = true;
    return this.#begun.finish(steps, beginningOf(steps).length);
  }

  withdraw(): Promise<void> {
    return this.#begun.withdraw();
  }
}

export class ReadyStarts {
  readonly #parts: Parts;
  #ready: ReadyStart | undefined;
  #isMaking = false;
  #isClosed = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #last = { kind: "", count: 0, atMs: 0 };

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** For a container of this kind, and nobody else from here on; undefined where none is ready. */
  take(body: ContainerCreateBody): ReadyStart | undefined {
    const ready = this.#ready;
    if (ready === undefined || kindOf(body) !== ready.kind) return undefined;
    this.#ready = undefined;
    clearTimeout(this.#timer);
    return ready;
  }

  /** It was not what the container needs. */
  giveBack(ready: ReadyStart): void {
    if (ready.isUsed) return;
    if (this.#ready === undefined && ready.isAlive && !this.#isClosed) this.#keep(ready);
    else this.#discard(ready);
  }

  /** Such a container was started: the next may be of its kind. */
  noteStart(like: Like): void {
    const kind = kindOf(like.body);
    if (kind === undefined) return;
    const nowMs = performance.now();
    const follows = kind === this.#last.kind && nowMs - this.#last.atMs < PATIENCE_MS;
    this.#last = { kind, count: follows ? this.#last.count + 1 : 1, atMs: nowMs };
    if (this.#last.count < ENOUGH || this.#isMaking || this.#isClosed || this.#ready !== undefined) return;
    this.#isMaking = true;
    void this.#parts.background("making a start ready", async () => {
      try {
        const ready = await this.#make(like, kind);
        if (this.#isClosed) this.#discard(ready);
        else this.#keep(ready);
      } catch (error) {
        log("warn", "no start could be made ready", error); // the next container's own says why that fails
      } finally {
        this.#isMaking = false;
      }
    });
  }

  async #make(like: Like, kind: string): Promise<ReadyStart> {
    const id = newContainerId();
    const { steps, groupPath } = planStart(id, like, this.#parts);
    const { mounts } = readHostView();
    mkdirSync(containerPlaces(this.#parts.places, id, true).runDir, { mode: 0o700 });
    point("container.ready.directory");
    try {
      const begun = await this.#parts.executor.beginMonitor(beginningOf(steps));
      point("container.ready.begun");
      return new ReadyStart(id, kind, groupPath, begun, mounts);
    } catch (error) {
      await this.#clearAway(id, groupPath);
      throw error;
    }
  }

  #keep(ready: ReadyStart): void {
    this.#ready = ready;
    this.#timer = setTimeout(() => this.#drop(), PATIENCE_MS);
    this.#timer.unref();
  }

  #drop(): void {
    const ready = this.#ready;
    this.#ready = undefined;
    if (ready !== undefined) this.#discard(ready);
  }

  #discard(ready: ReadyStart): void {
    void this.#parts.background("taking a ready start back", async () => {
      await ready.withdraw();
      await this.#clearAway(ready.id, ready.groupPath);
    });
  }

  #clearAway(id: string, groupPath: string): Promise<void> {
    return this.#parts.clearAway(groupPath, containerPlaces(this.#parts.places, id, true).owned);
  }

  /** Nothing is made ready any more, and what is goes. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#drop();
  }
}

/** What the beginning of a start depends on, roughly: the bytes decide. undefined where none can be made ready. */
function kindOf(body: ContainerCreateBody): string | undefined {
  const { HostConfig, Tty, OpenStdin, StdinOnce } = body;
  if (!HostConfig.AutoRemove || HostConfig.CgroupParent !== "") return undefined;
  if (!["none", "host"].includes(networkModeOf(body).kind) || sharesAny(body)) return undefined;
  return JSON.stringify([HostConfig, Tty, OpenStdin, StdinOnce]);
}
