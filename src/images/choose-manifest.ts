/** Which manifest of an index suits a platform. Pure. */
import { OrlopError } from "../base/errors.ts";
import type { Descriptor, Index } from "../spec/oci-image.ts";
import { formatPlatform, type Platform, platformDistance } from "../spec/platform.ts";

/**
 * The descriptor to follow. An entry without a platform matches every platform, but others that match are preferred.
 *
 * @param name  the image's, for errors
 * @throws {OrlopError} no_matching_platform
 */
export function chooseManifest(index: Index, wanted: Platform, name: string): Descriptor {
  const images = index.manifests.filter((entry) => !isAttestation(entry));
  let best: { descriptor: Descriptor; distance: number } | undefined;
  for (const descriptor of images) {
    const distance = descriptor.platform === undefined ? 1000 : platformDistance(descriptor.platform, wanted);
    if (distance !== undefined && distance < (best?.distance ?? Number.POSITIVE_INFINITY))
      best = { descriptor, distance };
  }
  if (best !== undefined) return best.descriptor;
  const offered = images.flatMap(({ platform }) => (platform === undefined ? [] : [formatPlatform(platform)]));
  throw OrlopError.of("no_matching_platform", {
    name,
    platform: formatPlatform(wanted),
    offered: offered.slice(0, 20).join(", "),
  });
}

/** BuildKit adds attestations of an image to its index, as manifests for the platform unknown/unknown. */
export function isAttestation(descriptor: Descriptor): boolean {
  return descriptor.platform?.os === "unknown" || attestedBy(descriptor) !== undefined;
}

/** The manifest that an attestation is about, by its annotation; undefined: it is no attestation. */
export function attestedBy({ annotations = {} }: Descriptor): string | undefined {
  if (annotations["vnd.docker.reference.type"] !== "attestation-manifest") return undefined;
  return annotations["vnd.docker.reference.digest"] ?? "";
}
