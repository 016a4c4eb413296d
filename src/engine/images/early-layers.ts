/**
 * Layers of an archive that is still being read. Where it has said before what is in it (`save` does), a layer is unpacked while
 * its blob comes, as in a pull; its directory gets its name when the blob is verified.
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
  /** By their blobs' digests, once the archive has said it. */
  #diffIds: ReadonlyMap<Digest, Digest> | undefined;

  constructor(stores: ImageStores) {
    this.#stores = stores;
    this.#lease = stores.layerLeases.open();
  }

  /** Of a blob that comes: when it is known as a layer, its unpacking begins. Otherwise false: ask again when more is known. */
  begin(digest: Digest, arriving: ArrivingBlob, archive: ImageArchive): boolean {
    this.#diffIds ??= this.#read(archive);
    const diffId = this.#diffIds?.get(digest);
    if (diffId === undefined) return false;
    this.#lease.hold([diffId]);
    const layer = { digest, size: arriving.sizeBytes, diffId, arriving };
    const unpacked = this.#stores.ensureLayer(layer, { signal: this.#stop.signal });
    // what is wrong is told when the image is added: what is not unpacked then is unpacked from the whole blob
    this.#underWay.push(unpacked.catch(() => undefined));
    return true;
  }

  /** Undefined while something is missing; what is wrong `load` says, when it has read everything. */
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

  /** Nothing is being unpacked any more. */
  async settled(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.settled();
    this.#lease[Symbol.dispose]();
  }
}

/** @throws {OrlopError} the configuration is none */
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
