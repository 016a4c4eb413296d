/**
 * Plans of containers that are asked for again and again: the third of a kind is cast from the first one's plan (`PlanMould`), once
 * the second one's, which was made without, was found to be just what the mould gives.
 *
 * That is done where a plan is made of nothing but the request, the id, what the engine has known of its machine since its start, and
 * the mount table, which is compared. Whoever's plan looks at more (binds, devices, the machine's own files) has each one made anew.
 */

import { PlanMould, renamed } from "../../kernel/plan-mould.ts";
import type { HostView } from "../../storage/host.ts";
import { readHostView } from "../../storage/host-view.ts";
import { networkModeOf } from "../networks/network-mode.ts";
import { type PlanSurroundings, planStart, type StartPlan } from "./container-plan.ts";
import type { ContainerRecord } from "./container-record.ts";
import { type Like, requestOf } from "./ready-start.ts";
import { dependsOnOthers } from "./sharing.ts";

/** Kinds that are remembered; the one that was asked for last comes last. */
const KINDS = 4;

interface Kind {
  readonly id: string;
  readonly plan: StartPlan;
  readonly mould: PlanMould;
  /** The very object: the table is another when it is another. */
  readonly mounts: HostView["mounts"];
  /** Found to be right for another id. */
  readonly isProven: boolean;
}

export class PlanMoulds {
  readonly #kinds = new Map<string, Kind>();
  readonly #mounts: () => HostView["mounts"];

  /** @param mounts the machine's as they are now */
  constructor(mounts = () => readHostView().mounts) {
    this.#mounts = mounts;
  }

  /** As `planStart`. */
  planOf(id: string, container: Like, surroundings: PlanSurroundings): StartPlan {
    const request = castable(container) ? requestOf(container) : undefined;
    if (request === undefined) return planStart(id, container, surroundings);
    const mounts = this.#mounts();
    const known = this.#kinds.get(request);
    const kind = known?.mounts === mounts ? known : undefined;
    if (kind?.isProven === true) return cast(kind, id);
    const plan = planStart(id, container, surroundings);
    if (kind === undefined)
      this.#keep(request, { id, plan, mould: new PlanMould(id, plan.steps), mounts, isProven: false });
    else if (kind.mould.gives(id, plan.steps)) this.#keep(request, { ...kind, isProven: true });
    return plan;
  }

  #keep(request: string, kind: Kind): void {
    this.#kinds.delete(request);
    this.#kinds.set(request, kind);
    const [oldest] = this.#kinds.keys();
    if (this.#kinds.size > KINDS && oldest !== undefined) this.#kinds.delete(oldest);
  }
}

function cast({ id: from, plan, mould }: Kind, id: string): StartPlan {
  return {
    steps: mould.cast(id),
    groupPath: renamed(plan.groupPath, from, id),
    warnings: plan.warnings,
    // Few ask for these.
    get spec() {
      return renamed(plan.spec, from, id);
    },
    get root() {
      return renamed(plan.root, from, id);
    },
  };
}

/** An image's layers never change; a directory and the machine do. */
function castable({ body, image, mounts }: Pick<ContainerRecord, "body" | "image" | "mounts">): boolean {
  const { HostConfig } = body;
  const { kind } = networkModeOf(body);
  const { Dns, DnsSearch, DnsOptions, BlkioWeightDevice: weights } = HostConfig;
  const { BlkioDeviceReadBps, BlkioDeviceReadIOps, BlkioDeviceWriteBps, BlkioDeviceWriteIOps } = HostConfig;
  const rates = [BlkioDeviceReadBps, BlkioDeviceReadIOps, BlkioDeviceWriteBps, BlkioDeviceWriteIOps];
  return (
    image !== undefined &&
    mounts.length === 0 &&
    (kind === "none" || kind === "network") &&
    !dependsOnOthers(body) &&
    !HostConfig.Privileged &&
    HostConfig.CgroupParent === "" &&
    [Dns, DnsSearch, DnsOptions, weights, ...rates].every(({ length }) => length === 0)
  );
}
