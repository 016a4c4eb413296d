/** Statements about an image (how it was built, what is in it), which BuildKit puts beside it into its index. */

import { OrlopError } from "../../base/errors.ts";
import { attestedBy } from "../../images/choose-manifest.ts";
import type { ImageArchive } from "../../images/image-archive.ts";
import type { Digest } from "../../spec/digest.ts";
import { hexOf } from "../../spec/digest.ts";
import type { Index } from "../../spec/oci-image.ts";
import { parseManifest } from "../../spec/oci-image-parse.ts";
import type { ImageForm } from "./image-record.ts";

type Blobs = NonNullable<ImageForm["beside"]>;

/** Those that are whole in an archive, by the manifest that they are about: with them the index can be pushed as it came. */
export function statementsIn(indexes: readonly Index[], archive: ImageArchive): Map<Digest, Blobs> {
  const found = new Map<Digest, Blobs>();
  for (const entry of indexes.flatMap(({ manifests }) => manifests)) {
    const about = attestedBy(entry) as Digest | undefined;
    const blobs = about === undefined ? [] : blobsOf(entry.digest, archive);
    if (about !== undefined && blobs.length > 0) found.set(about, [...(found.get(about) ?? []), ...blobs]);
  }
  return found;
}

/** Nothing where something of it is missing, or it is no manifest: it is not needed. */
function blobsOf(digest: Digest, archive: ImageArchive): Blobs {
  const pathOf = (one: Digest): string => `blobs/sha256/${hexOf(one)}`;
  const raw = archive.document(pathOf(digest));
  if (raw === undefined) return [];
  try {
    const manifest = parseManifest(raw, digest, { name: digest });
    if (manifest.kind === "index") return [];
    const named = [manifest.config, ...manifest.layers].map((one) => one.digest);
    const blobs = named.flatMap((one) => archive.blob(pathOf(one)) ?? []);
    if (blobs.length < named.length) return [];
    const own = { digest, sizeBytes: raw.length, isManifest: true };
    return [own, ...blobs.map((blob) => ({ digest: blob.digest, sizeBytes: blob.size, isManifest: false }))];
  } catch (error) {
    if (error instanceof OrlopError) return [];
    throw error;
  }
}
