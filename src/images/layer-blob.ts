/** Blobs of layers: made from a tar that is being written, or examined when they came as files. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { Readable } from "node:stream";
import { constants, createGzip } from "node:zlib";
import { type Digest, digestOfHex } from "../spec/digest.ts";
import { type Descriptor, layerTypeOf } from "../spec/oci-image.ts";
import type { ContentStore, StoredBlob } from "./content-store.ts";
import { decompress, detectCompression } from "./decompress.ts";
import type { Lease } from "./leases.ts";

export interface NewLayer {
  readonly layer: Descriptor;
  /** The digest of the tar. */
  readonly diffId: Digest;
}

/** gzip, which every engine and registry reads; fast rather than small, because the user waits for a commit. */
export async function storeLayer(
  tar: AsyncIterable<Uint8Array>,
  content: ContentStore,
  lease: Lease,
): Promise<NewLayer> {
  const hash = createHash("sha256");
  async function* hashed(): AsyncGenerator<Uint8Array> {
    for await (const piece of tar) {
      hash.update(piece);
      yield piece;
    }
  }
  const source = Readable.from(hashed(), { objectMode: false });
  const gzip = createGzip({ level: constants.Z_BEST_SPEED });
  source.on("error", (error) => gzip.destroy(error));
  const { digest, size } = await content.add(source.pipe(gzip), (one) => lease.hold([one]));
  return {
    layer: { mediaType: layerTypeOf("gzip"), digest, size },
    diffId: digestOfHex(hash.digest("hex")),
  };
}

/** What a stored blob is as a layer: by its content, whatever it was called. @throws {OrlopError} unsupported_compression */
export async function describeLayer({ digest, size }: StoredBlob, content: ContentStore): Promise<Descriptor> {
  const start = Buffer.alloc(16);
  await using file = await open(content.pathOf(digest), "r");
  const { bytesRead } = await file.read(start, 0, start.length, 0);
  return { mediaType: layerTypeOf(detectCompression(start.subarray(0, bytesRead))), digest, size };
}

/** The digest of the tar in a stored layer's blob. @throws {OrlopError} bad_compression */
export async function diffIdOf(layer: Descriptor, content: ContentStore): Promise<Digest> {
  if (layer.mediaType === layerTypeOf("none")) return layer.digest;
  const hash = createHash("sha256");
  for await (const piece of decompress(createReadStream(content.pathOf(layer.digest)))) hash.update(piece);
  return digestOfHex(hash.digest("hex"));
}
