/**
 * All images: the table of images and names, the stores on the disk, and the changes of both (`commit`). A change is recorded before
 * the table has it, so that an image that a client can find is still there after a power loss.
 */

import { OrlopError } from "../../base/errors.ts";
import { point } from "../../base/point.ts";
import { Serial } from "../../base/serial.ts";
import { Leases } from "../../images/leases.ts";
import type { Executor } from "../../kernel/executor.ts";
import type { Digest } from "../../spec/digest.ts";
import type { ContainerCreateBody } from "../../spec/engine-api-container.ts";
import type { ImageConfig } from "../../spec/oci-image.ts";
import { configMax, parseImageConfig } from "../../spec/oci-image-parse.ts";
import { hostPlatform, type Platform } from "../../spec/platform.ts";
import type { Change, RecordStore } from "../../store/rows.ts";
import type { Events } from "../events/events.ts";
import type { Places } from "../places.ts";
import { budgetOf } from "./budget.ts";
import type { ContainerImage } from "./container-image.ts";
import { isHostImage, withHostDefaults } from "./host-image.ts";
import { withImageDefaults } from "./image-defaults.ts";
import { bestOf, checkPlatform, imageFor } from "./image-platform.ts";
import {
  decodeImage,
  decodeName,
  encodeImage,
  encodeName,
  formUnder,
  type ImageForm,
  type ImageRecord,
  type NameRecord,
} from "./image-record.ts";
import { ImageStores } from "./image-stores.ts";
import { ImageTable } from "./image-table.ts";
import { withTag } from "./image-words.ts";
import { layerLimitsOf } from "./layer-limits.ts";
import type { ImageUsers } from "./reclaim.ts";
import { RegistrySettings } from "./registry-settings.ts";

export interface ImagesOptions {
  readonly places: Places;
  readonly executor: Executor;
  readonly store: RecordStore;
  readonly events: Pick<Events, "publish">;
  readonly users: ImageUsers;
  /** The engine's environment. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** One change. Later entries win. */
export interface ImageChanges {
  readonly putImages?: readonly ImageRecord[];
  readonly putNames?: readonly NameRecord[];
  readonly removeNames?: readonly NameRecord[];
  readonly removeImages?: readonly ImageRecord[];
}

/** How many configurations are cached. */
const configsMax = 64;

export class Images {
  readonly table = new ImageTable();
  readonly users: ImageUsers;
  readonly registrySettings: RegistrySettings;
  /** Images whose removal is being recorded: new containers must not use them. */
  readonly leaving = new Set<Digest>();
  readonly #options: ImagesOptions;
  readonly #leases = { blobs: new Leases(), layers: new Leases() };
  readonly #commits = new Serial();
  readonly #configs = new Map<string, Promise<ImageConfig>>();
  readonly #touched = new Set<Digest>();
  #stores: Promise<ImageStores> | undefined;

  constructor(options: ImagesOptions) {
    this.#options = options;
    this.users = options.users;
    this.registrySettings = new RegistrySettings(options.environment);
    for (const row of options.store.load("image")) this.table.putImage(decodeImage(row));
    for (const row of options.store.load("tag")) this.table.putName(this.#suited(decodeName(row)));
  }

  /** Migration: in earlier versions a name's default was the platform that was pulled last. */
  #suited(name: NameRecord): NameRecord {
    const platforms = this.table.platformsOf(name);
    return platforms.length < 2 ? name : { ...name, image: bestOf(platforms).id };
  }

  /** As in budget.ts. @throws {OrlopError} bad_value */
  get budgetBytes(): number | undefined {
    return budgetOf(this.#options.environment);
  }

  /** Sets when the image was last used. Recorded with the next change or when the engine leaves; losing it affects only the eviction order. */
  touch(id: Digest): void {
    const image = this.table.image(id);
    if (image === undefined) return;
    this.table.putImage({ ...image, usedMs: Date.now() });
    this.#touched.add(id);
  }

  /** Records the times that `touch` has set. */
  async saveUse(): Promise<void> {
    const used = this.#takeTouched();
    if (used.length > 0) await this.#options.store.apply(...used.map((image) => ({ put: encodeImage(image) })));
  }

  #takeTouched(): ImageRecord[] {
    const used = [...this.#touched].flatMap((id) => this.table.image(id) ?? []);
    this.#touched.clear();
    return used;
  }

  /** The stores on the disk, opened when they are first needed. */
  stores(): Promise<ImageStores> {
    this.#stores ??= this.#open().catch((error) => {
      this.#stores = undefined;
      throw error;
    });
    return this.#stores;
  }

  async #open(): Promise<ImageStores> {
    const { places, executor, environment } = this.#options;
    const stores = await ImageStores.open(places, executor, this.#leases, layerLimitsOf(environment));
    await stores.content.writeIndex(this.#indexEntries()); // an engine that was killed may not have written it
    return stores;
  }

  /** An image's configuration. @throws {OrlopError} blob_unknown, digest_mismatch: the store is damaged */
  config(image: ImageRecord): Promise<ImageConfig> {
    const known = this.#configs.get(image.id);
    if (known !== undefined) return known;
    const reading = this.#readConfig(image).catch((error) => {
      this.#configs.delete(image.id);
      throw error;
    });
    this.#configs.set(image.id, reading);
    for (const oldest of this.#configs.keys()) if (this.#configs.size > configsMax) this.#configs.delete(oldest);
    return reading;
  }

  async #readConfig({ id, layers }: ImageRecord): Promise<ImageConfig> {
    const { content } = await this.stores();
    return parseImageConfig(await content.read(id, configMax), id, layers.length, id);
  }

  /**
   * A create request with its image's defaults.
   *
   * @param platform what the image must be for
   * @param use      called with the image at a moment when it certainly exists
   * @throws {OrlopError} no_such_image, platform_mismatch
   */
  async apply(
    body: ContainerCreateBody,
    platform?: Platform,
    use: (image: ContainerImage) => void = () => undefined,
  ): Promise<{ readonly body: ContainerCreateBody; readonly image?: ContainerImage }> {
    const isMachine = body.HostConfig.Rootfs !== "" || body.Image === "" || isHostImage(body.Image);
    if (isMachine) {
      checkPlatform(body.Image, hostPlatform(), platform);
      return { body: withHostDefaults(body) };
    }
    const image = imageFor(this.table, body.Image, platform);
    const { config } = await this.config(image);
    if (this.table.image(image.id) === undefined || this.leaving.has(image.id))
      throw OrlopError.of("no_such_image", { reference: withTag(body.Image) });
    const used: ContainerImage = {
      id: image.id,
      layers: image.layers.map(({ diffId }) => diffId),
      hidingEtc: image.layers.filter(({ hidesEtc }) => hidesEtc).map(({ diffId }) => diffId),
      config,
    };
    use(used);
    this.touch(image.id);
    return { body: withImageDefaults(body, config), image: used };
  }

  /**
   * Records a change, then applies it to the table, then updates index.json for other tools. Changes are serialised.
   *
   * @param plan called when all earlier changes are applied
   */
  commit(plan: () => ImageChanges): Promise<void> {
    return this.#commits.run(async () => {
      point("images.change.begun");
      const stores = await this.stores();
      const changes = plan();
      if ((changes.putImages ?? []).length > 0) await stores.sync();
      point("images.change.synced");
      const going = new Set((changes.removeImages ?? []).map(({ id }) => id));
      const used = this.#takeTouched().filter(({ id }) => !going.has(id));
      await this.#options.store.apply(...used.map((image) => ({ put: encodeImage(image) })), ...rowsOf(changes));
      point("images.change.recorded");
      for (const image of changes.putImages ?? []) this.table.putImage(image);
      for (const { reference } of changes.removeNames ?? []) this.table.removeName(reference);
      for (const name of changes.putNames ?? []) this.table.putName(name);
      for (const { id } of changes.removeImages ?? []) {
        this.table.removeImage(id);
        this.#configs.delete(id);
      }
      await stores.content.writeIndex(this.#indexEntries());
      point("images.change.indexed");
    });
  }

  /** Publishes an event. @param id the image's id, or its name for events about a registry */
  publish(action: string, id: string, name: string, labels: Readonly<Record<string, string>>): void {
    this.#options.events.publish({ type: "image", action, id, attributes: { name }, labels });
  }

  publishPruned(reclaimedBytes: number): void {
    const attributes = { reclaimed: String(reclaimedBytes) };
    this.#options.events.publish({ type: "image", action: "prune", id: "", attributes });
  }

  /**
   * One entry for each name, and for each image without one. A name's entry is its default's manifest, not its index: an index may name
   * manifests that are not here, which other tools would miss.
   */
  #indexEntries() {
    return this.table.all().flatMap((image) => {
      const entryOf = ({ manifest: { mediaType, digest, sizeBytes } }: ImageForm) => ({
        mediaType,
        digest,
        size: sizeBytes,
        platform: image.platform,
      });
      const tags = this.table.ownNamesOf(image.id).filter(({ reference }) => !reference.includes("@"));
      const named = tags.map(({ reference, target }) => ({ ...entryOf(formUnder(image, target)), name: reference }));
      return tags.length === 0 ? [entryOf(image)] : named;
    });
  }
}

function rowsOf(changes: ImageChanges): Change[] {
  return [
    ...(changes.putImages ?? []).map((image) => ({ put: encodeImage(image) })),
    ...(changes.removeNames ?? []).map(({ reference }) => ({ remove: { kind: "tag", id: reference } as const })),
    ...(changes.putNames ?? []).map((name) => ({ put: encodeName(name) })),
    ...(changes.removeImages ?? []).map(({ id }) => ({ remove: { kind: "image", id } as const })),
  ];
}
