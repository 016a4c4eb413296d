/** Creating a container: reserving its name, applying image and network defaults, planning its start, making its volumes. */

import { OrlopError } from "../../base/errors.ts";
import { type ContainerId, newContainerId } from "../../base/id.ts";
import type { ContainerCreateBody } from "../../spec/engine-api-container.ts";
import type { Platform } from "../../spec/platform.ts";
import type { EngineParts } from "../engine-parts.ts";
import type { ContainerImage } from "../images/container-image.ts";
import { chooseMounts, prepareVolumes, unmakeVolumes, withoutMaking } from "../mounts/container-mounts.ts";
import type { ChosenMount, MountedImage, MountPoint } from "../mounts/mount-point.ts";
import type { ForeseenNetworks } from "../networks/network-foresee.ts";
import { Container } from "./container.ts";
import type { StartPlan } from "./container-plan.ts";
import { exposedPortsOf, neverRun } from "./container-record.ts";
import { stopSignalOf } from "./container-spec.ts";
import { PlanTemplates } from "./plan-templates.ts";
import type { ReadyStart } from "./ready-start.ts";
import { ReadyStarts } from "./ready-starts.ts";
import { dependsOnOthers, resolveDonors } from "./sharing.ts";

/** What is decided of a new container before anything is made. */
interface Choice {
  readonly plan: StartPlan;
  readonly mounts: readonly ChosenMount[];
}

interface Asked {
  readonly asked: ContainerCreateBody;
  readonly name: string;
  readonly platform: Platform | undefined;
  readonly ready: ReadyStart | undefined;
}

export interface Created {
  readonly container: Container;
  readonly warnings: readonly string[];
}

/** The existing containers, as `Containers` keeps them. */
export interface Register {
  /** @throws {OrlopError} no_such_container, ambiguous_id */
  get(reference: string): Container;
  /** Takes a name ("": a generated one) for a container. @returns the name. @throws {OrlopError} bad_value, name_in_use */
  reserve(id: string, name: string): string;
  release(name: string): void;
  add(container: Container): void;
}

export class NewContainers {
  readonly #parts: EngineParts;
  readonly #register: Register;
  readonly readyStarts: ReadyStarts;
  readonly #templates = new PlanTemplates();
  /** By container id: the images of containers that are being created and are not recorded yet. */
  readonly #creating = new Map<string, readonly MountedImage[]>();

  constructor(parts: EngineParts, register: Register) {
    this.#parts = parts;
    this.#register = register;
    this.readyStarts = new ReadyStarts(parts);
  }

  /** The ids of containers that are being created, with the images that they use. */
  creating(): readonly (readonly [id: string, images: readonly MountedImage[]])[] {
    return [...this.#creating];
  }

  /**
   * @param platform what the image must be for
   * @throws {OrlopError} bad_value, unknown_field, no_such_image, name_in_use …; nothing is created then
   */
  async create(asked: ContainerCreateBody, name: string, platform?: Platform): Promise<Created> {
    const ready = await this.readyStarts.take(asked);
    try {
      const created = await this.#create(ready?.id ?? newContainerId(), { asked, name, platform, ready });
      if (created !== undefined) return created;
    } catch (error) {
      if (ready !== undefined) void this.readyStarts.giveBack(ready);
      throw error;
    }
    // The container's start differs from the one that is ready.
    if (ready !== undefined) void this.readyStarts.discard(ready);
    return (await this.#create(newContainerId(), { asked, name, platform, ready: undefined })) as Created;
  }

  /** undefined when `ready` does not fit this container; nothing is created then. */
  async #create(id: ContainerId, { asked, name, platform, ready }: Asked): Promise<Created | undefined> {
    const chosen = this.#register.reserve(id, name);
    let made: Created | undefined;
    try {
      const use = (image: ContainerImage) => this.#creating.set(id, [image]);
      const { body: whole, image } = await this.#parts.images.apply(asked, platform, use);
      const { body: settled, warnings } = await this.#parts.networks.settle(whole);
      const body = resolveDonors(settled, (reference) => this.#register.get(reference));
      const { plan, mounts } = this.#choose(id, chosen, body, image, ready);
      if (ready !== undefined && !ready.fits(plan, mounts)) return undefined;
      this.#creating.set(id, imagesOf({ ...(image && { image }), mounts }));
      const createdNs = String(BigInt(Date.now()) * 1_000_000n);
      const origin = image === undefined ? {} : { image };
      const record = { id, name: chosen, createdNs, body, ...origin, mounts: withoutMaking(mounts), run: neverRun };
      await prepareVolumes(record, mounts, this.#parts);
      // If it depends on other containers, its plan depends on whether they run, which is known at its start only.
      const container = new Container(this.#parts, record, dependsOnOthers(body) ? undefined : plan, ready);
      try {
        await container.establish();
      } catch (error) {
        await unmakeVolumes(id, mounts, this.#parts.volumes);
        throw error;
      }
      this.#register.add(container);
      setImmediate(() => container.expectStart()); // the answer goes out first
      made = { container, warnings: [...warnings, ...plan.warnings] };
      return made;
    } finally {
      if (made === undefined) this.#register.release(chosen);
      this.#creating.delete(id);
    }
  }

  /** As `Containers.plan`. @throws {OrlopError} what is wrong with the request */
  async plan(asked: ContainerCreateBody): Promise<StartPlan & { readonly networks: ForeseenNetworks }> {
    const { networks } = this.#parts;
    const { body: whole, image } = await this.#parts.images.apply(asked);
    const { body } = await networks.settle(whole);
    const exposedPorts = exposedPortsOf({ body, ...(image && { image }) });
    const plan = this.#choose(newContainerId(), "explained", body, image).plan;
    return { ...plan, networks: await networks.foresee({ body, exposedPorts }) };
  }

  #choose(
    id: ContainerId,
    name: string,
    body: ContainerCreateBody,
    image: ContainerImage | undefined,
    ready?: ReadyStart,
  ): Choice {
    stopSignalOf(body);
    const origin = { body, ...(image && { image }) };
    const mounts = chooseMounts(origin, this.#parts, (other) => this.#mountsOfLender(other));
    const container = { name, ...origin, mounts };
    return { mounts, plan: ready?.planOf(container) ?? this.#templates.planOf(id, container, this.#parts) };
  }

  /** The mounts of a container that VolumesFrom names. @throws {OrlopError} no_lender, ambiguous_id */
  #mountsOfLender(container: string): readonly MountPoint[] {
    try {
      return this.#register.get(container).record.mounts;
    } catch (error) {
      if (error instanceof OrlopError && error.code === "no_such_container")
        throw OrlopError.of("no_lender", { container }, error);
      throw error;
    }
  }
}

/** The image of a container's root, and the images that it has mounted. */
export function imagesOf({ image, mounts }: { image?: ContainerImage; mounts: readonly MountPoint[] }): MountedImage[] {
  return [...(image === undefined ? [] : [image]), ...mounts.flatMap((point) => ("image" in point ? point.image : []))];
}
