/** The beginning of a start, carried out before anybody asked for it: for one container, whose id it has, or for none. */

import { type BigIntStats, lstatSync, realpathSync } from "node:fs";
import type { ContainerId } from "../../base/id.ts";
import type { BegunMonitor, MonitorLink } from "../../kernel/executor.ts";
import { encodeBeginning } from "../../kernel/plan.ts";
import type { Step } from "../../kernel/step.ts";
import { beginningOf } from "../../runtime/plan-container.ts";
import { readHostView } from "../../storage/host-view.ts";
import { logAttributesOf } from "../logs/log-attributes.ts";
import type { MountPoint } from "../mounts/mount-point.ts";
import type { LentNetwork } from "../networks/lent-networks.ts";
import type { StartPlan } from "./container-plan.ts";
import type { ContainerRecord } from "./container-record.ts";

/** What a container is made of before it has an id. */
export type Like = Pick<ContainerRecord, "name" | "body" | "image" | "mounts">;

export interface ReadyParts {
  readonly id: ContainerId;
  readonly kind: string;
  /** The whole of it, for the container that it was made after. */
  readonly plan: StartPlan;
  readonly request: string | undefined;
  readonly begun: BegunMonitor;
  readonly surroundings: Surroundings;
  /** The engine's. */
  readonly runDir: string;
  /** Its network, for one that is to be in the default network. */
  readonly network: LentNetwork | undefined;
}

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

  get network(): LentNetwork | undefined {
    return this.#parts.network;
  }

  /** The plan that was made already, where the same was asked for as the last time; undefined: it is to be made. */
  planOf(container: Like): StartPlan | undefined {
    const asked = requestOf(container);
    return asked !== undefined && asked === this.#parts.request ? this.#parts.plan : undefined;
  }

  /** Whether this is how the container would begin. */
  fits(plan: StartPlan, mounts: readonly MountPoint[]): boolean {
    if (!this.isAlive || mounts.some(({ type }) => type === "volume")) return false; // those are mounted first
    const { begun, surroundings, runDir } = this.#parts;
    const beginning = beginningOf(plan.steps);
    const isSame = plan === this.#parts.plan || Buffer.compare(encodeBeginning(beginning), begun.bytes) === 0;
    const now = surroundingsOf(beginning, runDir);
    return isSame && now.mounts === surroundings.mounts && now.trees === surroundings.trees;
  }

  /**
   * @param steps the container's plan
   * @param network steps of its network, which come first of what is left
   * @throws as `BegunMonitor.finish`
   */
  finish(steps: readonly Step[], network: readonly Step[]): Promise<MonitorLink> {
    this.isUsed = true;
    const done = beginningOf(steps).length;
    return this.#parts.begun.finish(steps.toSpliced(done, 0, ...network), done);
  }

  withdraw(): Promise<void> {
    return this.#parts.begun.withdraw();
  }
}

export interface Surroundings {
  /** The machine's mounts, but our own: each sandbox is one. */
  readonly mounts: string;
  /** Which directories the root lies on, with the accounts in them, and when each was changed last: others may have the names by now. */
  readonly trees: string;
}

export function surroundingsOf(beginning: readonly Step[], runDir: string): Surroundings {
  const lowers = beginning.flatMap((step) => (step.op === "overlay" ? step.lowers : []));
  const others = readHostView().mounts.filter(({ mountPoint }) => !mountPoint.startsWith(`${runDir}/`));
  return {
    mounts: others.map(({ id, mountPoint }) => `${id} ${mountPoint}`).join(),
    trees: lowers.flatMap(stampsOf).join(),
  };
}

/** In the place of /etc an image may have a link: what that leads to on the machine is nobody's business. */
function stampsOf(lower: string): readonly string[] {
  const etc = lookAt(`${lower}/etc`);
  const files = etc?.isDirectory() === true ? ["passwd", "group"].map((name) => lookAt(`${lower}/etc/${name}`)) : [];
  return [lookAt(lower), etc, ...files].map((status) =>
    status === undefined ? "" : `${status.dev}:${status.ino}:${status.ctimeNs}`,
  );
}

function lookAt(path: string): BigIntStats | undefined {
  return lstatSync(path, { bigint: true, throwIfNoEntry: false });
}

/** All that a plan is made of but the machine; never the same where a path is looked at that may be another by now. */
export function requestOf({ name, body, image, mounts }: Like): string | undefined {
  const { HostConfig } = body;
  if (mounts.length > 0 || HostConfig.Devices.length > 0) return undefined;
  const root = HostConfig.Rootfs === "" ? "" : realpathSync(HostConfig.Rootfs);
  const attributes = logAttributesOf({ id: "", name, body, imageId: image?.id ?? "" });
  return JSON.stringify([body, image, root, attributes]);
}
