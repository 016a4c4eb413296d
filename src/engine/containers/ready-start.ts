/** The beginning of a start that was carried out before its container exists. It has the id that the container will get. */

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

/** What determines a container's plan, besides its id. */
export type ContainerInputs = Pick<ContainerRecord, "name" | "body" | "image" | "mounts">;

export interface ReadyParts {
  readonly id: ContainerId;
  readonly kind: string;
  /** The whole plan, as for the container whose start it was made after. */
  readonly plan: StartPlan;
  readonly request: string | undefined;
  readonly begun: BegunMonitor;
  readonly surroundings: Surroundings;
  /** The engine's run directory. */
  readonly runDir: string;
  /** For a container in the default network. */
  readonly network: LentNetwork | undefined;
}

export class ReadyStart {
  readonly #parts: ReadyParts;
  isAlive = true;
  /** A container has taken it over. */
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

  /** The existing plan, if the request is the same as last time; else undefined. */
  planOf(container: ContainerInputs): StartPlan | undefined {
    const asked = requestOf(container);
    return asked !== undefined && asked === this.#parts.request ? this.#parts.plan : undefined;
  }

  /** Whether the container's start would begin in the same way. */
  fits(plan: StartPlan, mounts: readonly MountPoint[]): boolean {
    if (!this.isAlive || mounts.some(({ type }) => type === "volume")) return false; // volumes are mounted before a start begins
    const { begun, surroundings, runDir } = this.#parts;
    const beginning = beginningOf(plan.steps);
    const isSame = plan === this.#parts.plan || Buffer.compare(encodeBeginning(beginning), begun.bytes) === 0;
    const now = surroundingsOf(beginning, runDir);
    return isSame && now.mounts === surroundings.mounts && now.trees === surroundings.trees;
  }

  /**
   * Carries out the rest of the container's plan.
   *
   * @param steps the whole plan
   * @param network steps of its network, which come first
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
  /** The machine's mounts but those in the run directory (each sandbox is one). */
  readonly mounts: string;
  /** Device, inode and ctime of the root's lower directories and of their account files: other files may have these names by now. */
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

/** If /etc is a link in an image, it is not followed: it would lead to files of the machine. */
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

/** Everything that a plan depends on, apart from the machine, as a key; undefined where it depends on paths that may change. */
export function requestOf({ name, body, image, mounts }: ContainerInputs): string | undefined {
  const { HostConfig } = body;
  if (mounts.length > 0 || HostConfig.Devices.length > 0) return undefined;
  const root = HostConfig.Rootfs === "" ? "" : realpathSync(HostConfig.Rootfs);
  const attributes = logAttributesOf({ id: "", name, body, imageId: image?.id ?? "" });
  return JSON.stringify([body, image, root, attributes]);
}
