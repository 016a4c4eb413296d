/**
 * Unpacks layers while their archive is still being read. This needs an archive whose manifests come first (as `save` writes it): a layer is
 * then unpacked while its blob arrives, as in a pull; its directory gets its final name when the blob is verified.
 */
import { OrlopError } from "../../base/errors.ts";
import type { ArrivingBlob } from "../../images/arriving-blob.ts";
import { digestNamedBy, type ImageArchive } from "../../images/image-archive.ts";
import type { Lease } from "../../images/leases.ts";
import type { Digest } from "../../spec/digest.ts";
import { parseImageConfig } from "../../spec/oci-image-parse.ts";
import { type DockerEntry, dockerEntriesOf } from "./docker-entries.ts";
import type { ImageStores } from "./image-stores.ts";

export class EarlyLayers implements AsyncDisposable {
  readonly #stores: ImageStores;
  readonly #lease: Lease;
  readonly #stop = new AbortController();
  readonly #underWay: Promise<unknown>[] = [];
  #entries: readonly DockerEntry[] | undefined;
  /** By blob digest, once the archive's manifests are known. */
  #diffIds: ReadonlyMap<Digest, Digest> | undefined;

  constructor(stores: ImageStores) {
    this.#stores = stores;
    this.#lease = stores.layerLeases.open();
  }

  /** Begins to unpack an arriving blob. @returns false if it is not known to be a layer: to be called again when more is known */
  begin(digest: Digest, arriving: ArrivingBlob, archive: ImageArchive): boolean {
    this.#diffIds ??= this.#read(archive);
    const diffId = this.#diffIds?.get(digest);
    if (diffId === undefined) return false;
    this.#lease.hold([diffId]);
    const layer = { digest, size: arriving.sizeBytes, diffId, arriving };
    const unpacked = this.#stores.ensureLayer(layer, { signal: this.#stop.signal });
    // A failure is reported when the image is added: a layer that is not unpacked then is unpacked from the complete blob.
    this.#underWay.push(unpacked.catch(() => undefined));
    return true;
  }

  /** undefined while something is missing. Errors are reported by `load`, when it has read everything. */
  #read(archive: ImageArchive): ReadonlyMap<Digest, Digest> | undefined {
    if (archive.document("manifest.json") === undefined) return undefined;
    try {
      this.#entries ??= dockerEntriesOf(archive);
      const areHere = this.#entries.every(({ config }) => archive.document(config) !== undefined);
      return areHere ? new Map(this.#entries.flatMap((entry) => diffIdsOf(entry, archive))) : undefined;
    } catch (error) {
      if (error instanceof OrlopError) return new Map();
      throw error;
    }
  }

  /** Resolves when nothing is being unpacked. */
  async settled(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.settled();
    this.#lease[Symbol.dispose]();
  }
}

/** @throws {OrlopError} it is not a configuration */
function diffIdsOf({ config, layers }: DockerEntry, archive: ImageArchive): [blob: Digest, diffId: Digest][] {
  const raw = archive.document(config);
  const digest = archive.blob(config)?.digest;
  if (raw === undefined || digest === undefined) return [];
  const { diffIds } = parseImageConfig(raw, digest, layers.length, config);
  return layers.flatMap((path, i): [Digest, Digest][] => {
    const blob = digestNamedBy(path);
    const diffId = diffIds[i];
    return blob === undefined || diffId === undefined ? [] : [[blob, diffId]];
  });
}
