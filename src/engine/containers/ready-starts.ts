/**
 * While `--rm` containers of one kind follow each other, the start of the next is begun before it is asked for: its group, its
 * namespaces, its root with the kernel's file systems, up to the last `ready` step of its plan, which depends on the kind alone.
 *
 * What is ready has an id of its own, and becomes the container of that id or none: it is used once. It is used only when the
 * plan of the new container begins with the very bytes that were sent ahead, on a machine whose mounts are the same, and the
 * directories that its root shows are the same too, not others of their names. One that nobody wants for a second is taken back;
 * one whose engine died ends by itself, and the next engine clears its folders away.
 */

import { lstatSync, mkdirSync, realpathSync } from "node:fs";
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
import { logAttributesOf } from "../logs/log-attributes.ts";
import type { MountPoint } from "../mounts/mount-point.ts";
import { networkModeOf } from "../networks/network-mode.ts";
import { containerPlaces } from "../places.ts";
import { planStart, type StartPlan } from "./container-plan.ts";
import type { ContainerRecord } from "./container-record.ts";
import { dependsOnOthers } from "./sharing.ts";

/** Starts that follow each other within so long… */
const PATIENCE_MS = 1000;
/** …and so many of one kind make the next one likely. */
const ENOUGH = 3;
/** One for the next, and one that is made while that one runs: its making takes about as long as a short container's life. */
const MOST = 2;

type Parts = Pick<EngineParts, "machine" | "places" | "executor" | "background" | "clearAway">;
type Like = Pick<ContainerRecord, "name" | "body" | "image" | "mounts">;

interface ReadyParts {
  readonly id: ContainerId;
  readonly kind: string;
  /** The whole of it, for the container that it was made after. */
  readonly plan: StartPlan;
  readonly request: string | undefined;
  readonly begun: BegunMonitor;
  readonly surroundings: Surroundings;
}

/** The beginning of a start, for a container that is to have this id. */
export class ReadyStart {
  readonly #parts: ReadyParts;
  isAlive = true;
  /** It is a container's. */
  isUsed = false;

  constructor(parts: ReadyParts) {
    this.#parts = parts;
    void parts.begun.closed.then(() => {
      this.isAlive = false;
    });
  }

  get id(): ContainerId {
    return this.#parts.id;
  }

  get kind(): string {
    return this.#parts.kind;
  }

  get groupPath(): string {
    return this.#parts.plan.groupPath;
  }

  /** The plan that was made already, where the same was asked for as the last time; undefined: it is to be made. */
  planOf(container: Like): StartPlan | undefined {
    const asked = requestOf(container);
    return asked !== undefined && asked === this.#parts.request ? this.#parts.plan : undefined;
  }

  /** Whether this is how the container would begin. */
  fits(plan: StartPlan, mounts: readonly MountPoint[]): boolean {
    if (!this.isAlive || mounts.some(({ type }) => type === "volume")) return false; // those are mounted first
    const { begun, surroundings } = this.#parts;
    const beginning = beginningOf(plan.steps);
    const isSame = plan === this.#parts.plan || Buffer.compare(encodeBeginning(beginning), begun.bytes) === 0;
    const now = surroundingsOf(beginning);
    return isSame && now.mounts === surroundings.mounts && now.trees === surroundings.trees;
  }

  /** @throws as `BegunMonitor.finish` */
  finish(steps: readonly Step[]): Promise<MonitorLink> {
    this.isUsed = true;
    return this.#parts.begun.finish(steps, beginningOf(steps).length);
  }

  withdraw(): Promise<void> {
    return this.#parts.begun.withdraw();
  }
}

export class ReadyStarts {
  readonly #parts: Parts;
  /** With what takes each back when nobody wants it. */
  readonly #ready = new Map<ReadyStart, ReturnType<typeof setTimeout>>();
  #making = 0;
  #isClosed = false;
  #last = { kind: "", count: 0, atMs: 0 };

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** For a container of this kind, and nobody else from here on; undefined where none is ready. */
  take(body: ContainerCreateBody): ReadyStart | undefined {
    if (this.#ready.size === 0) return undefined;
    const kind = kindOf(body);
    const ready = [...this.#ready.keys()].find((one) => one.kind === kind);
    if (ready !== undefined) this.#letGo(ready);
    return ready;
  }

  /** Nothing came of the container. */
  giveBack(ready: ReadyStart): void {
    if (ready.isUsed) return;
    if (ready.isAlive && !this.#isClosed) this.#keep(ready);
    else this.discard(ready);
  }

  /** Such a container was started: the next may be of its kind. */
  noteStart(like: Like): void {
    const kind = kindOf(like.body);
    if (kind === undefined) return;
    const nowMs = performance.now();
    const follows = kind === this.#last.kind && nowMs - this.#last.atMs < PATIENCE_MS;
    this.#last = { kind, count: follows ? this.#last.count + 1 : 1, atMs: nowMs };
    if (this.#last.count < ENOUGH || this.#isClosed || this.#ready.size + this.#making >= MOST) return;
    this.#making++;
    void this.#parts.background("making a start ready", async () => {
      try {
        const ready = await this.#make(like, kind);
        if (this.#isClosed) this.discard(ready);
        else this.#keep(ready);
      } catch (error) {
        log("warn", "no start could be made ready", error); // the next container's own says why that fails
      } finally {
        this.#making--;
      }
    });
  }

  async #make(like: Like, kind: string): Promise<ReadyStart> {
    const id = newContainerId();
    const plan = planStart(id, like, this.#parts);
    const beginning = beginningOf(plan.steps);
    const request = requestOf(like);
    const surroundings = surroundingsOf(beginning);
    mkdirSync(containerPlaces(this.#parts.places, id, true).runDir, { mode: 0o700 });
    point("container.ready.directory");
    try {
      const begun = await this.#parts.executor.beginMonitor(beginning);
      point("container.ready.begun");
      return new ReadyStart({ id, kind, plan, request, begun, surroundings });
    } catch (error) {
      await this.#clearAway(id, plan.groupPath);
      throw error;
    }
  }

  #keep(ready: ReadyStart): void {
    const timer = setTimeout(() => this.#drop(ready), PATIENCE_MS);
    timer.unref();
    this.#ready.set(ready, timer);
  }

  #letGo(ready: ReadyStart): void {
    clearTimeout(this.#ready.get(ready));
    this.#ready.delete(ready);
  }

  #drop(ready: ReadyStart): void {
    this.#letGo(ready);
    this.discard(ready);
  }

  /** What is like it would not be what the next container needs either. */
  discard(ready: ReadyStart): void {
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
    for (const ready of this.#ready.keys()) this.#drop(ready);
  }
}

interface Surroundings {
  /** The same object as long as the machine's mounts are the same. */
  readonly mounts: unknown;
  /** Which directories the root lies on, with the accounts in them, and when each was changed last: others may have the names by now. */
  readonly trees: string;
}

function surroundingsOf(beginning: readonly Step[]): Surroundings {
  const lowers = beginning.flatMap((step) => (step.op === "overlay" ? step.lowers : []));
  const paths = lowers.flatMap((lower) => [lower, `${lower}/etc/passwd`, `${lower}/etc/group`]);
  return { mounts: readHostView().mounts, trees: paths.map(stampOf).join() };
}

function stampOf(path: string): string {
  const status = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  return status === undefined ? "" : `${status.dev}:${status.ino}:${status.ctimeNs}`;
}

/** All that a plan is made of but the machine; never the same where a path is looked at that may be another by now. */
function requestOf({ name, body, image, mounts }: Like): string | undefined {
  const { HostConfig } = body;
  if (mounts.length > 0 || HostConfig.Devices.length > 0) return undefined;
  const root = HostConfig.Rootfs === "" ? "" : realpathSync(HostConfig.Rootfs);
  const attributes = logAttributesOf({ id: "", name, body, imageId: image?.id ?? "" });
  return JSON.stringify([body, image, root, attributes]);
}

/** What the beginning of a start depends on, roughly: the bytes decide. undefined where none can be made ready. */
function kindOf(body: ContainerCreateBody): string | undefined {
  const { HostConfig, Image, Hostname, Domainname, Tty, OpenStdin, StdinOnce } = body;
  if (!HostConfig.AutoRemove || HostConfig.CgroupParent !== "") return undefined;
  if (!["none", "host"].includes(networkModeOf(body).kind) || dependsOnOthers(body)) return undefined;
  return JSON.stringify([HostConfig, Image, Hostname, Domainname, Tty, OpenStdin, StdinOnce]);
}
