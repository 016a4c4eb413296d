/**
 * Templates for the plans of equal requests. The first plan becomes a template (`PlanTemplate`); the second is planned without it, and
 * compared with what the template gives; if they are equal, the third and later ones are filled in from the template.
 *
 * This is done only for plans that depend on nothing but the request, the id, what the engine has read of its machine at its start, and
 * the mount table, which is compared. Plans that depend on more (binds, devices, the machine's own files) are always made anew.
 */

import { PlanTemplate, withOtherId } from "../../kernel/plan-template.ts";
import type { HostView } from "../../storage/host.ts";
import { readHostView } from "../../storage/host-view.ts";
import { networkModeOf } from "../networks/network-mode.ts";
import { type PlanSurroundings, planStart, type StartPlan } from "./container-plan.ts";
import type { ContainerRecord } from "./container-record.ts";
import { type ContainerInputs, requestOf } from "./ready-start.ts";
import { dependsOnOthers } from "./sharing.ts";

/** How many templates are kept; the one used last is last. */
const TEMPLATES = 4;

interface Entry {
  readonly id: string;
  readonly plan: StartPlan;
  readonly template: PlanTemplate;
  /** Compared by identity: the view makes a new array when the table changes. */
  readonly mounts: HostView["mounts"];
  /** Found to be right for a second id. */
  readonly isProven: boolean;
}

export class PlanTemplates {
  readonly #byRequest = new Map<string, Entry>();
  readonly #mounts: () => HostView["mounts"];

  /** @param mounts reads the machine's mount table */
  constructor(mounts = () => readHostView().mounts) {
    this.#mounts = mounts;
  }

  /** The same result as `planStart`. */
  planOf(id: string, container: ContainerInputs, surroundings: PlanSurroundings): StartPlan {
    const request = dependsOnRequestAlone(container) ? requestOf(container) : undefined;
    if (request === undefined) return planStart(id, container, surroundings);
    const mounts = this.#mounts();
    const known = this.#byRequest.get(request);
    const entry = known?.mounts === mounts ? known : undefined;
    if (entry?.isProven === true) return fill(entry, id);
    const plan = planStart(id, container, surroundings);
    if (entry === undefined)
      this.#keep(request, { id, plan, template: new PlanTemplate(id, plan.steps), mounts, isProven: false });
    else if (entry.template.matches(id, plan.steps)) this.#keep(request, { ...entry, isProven: true });
    return plan;
  }

  #keep(request: string, entry: Entry): void {
    this.#byRequest.delete(request);
    this.#byRequest.set(request, entry);
    const [oldest] = this.#byRequest.keys();
    if (this.#byRequest.size > TEMPLATES && oldest !== undefined) this.#byRequest.delete(oldest);
  }
}

function fill({ id: from, plan, template }: Entry, id: string): StartPlan {
  return {
    steps: template.fill(id),
    groupPath: withOtherId(plan.groupPath, from, id),
    warnings: plan.warnings,
    // Computed on demand, because they are rarely needed.
    get spec() {
      return withOtherId(plan.spec, from, id);
    },
    get root() {
      return withOtherId(plan.root, from, id);
    },
  };
}

/** Excludes everything whose plan depends on files that may change; an image's layers never do. */
function dependsOnRequestAlone({ body, image, mounts }: Pick<ContainerRecord, "body" | "image" | "mounts">): boolean {
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
