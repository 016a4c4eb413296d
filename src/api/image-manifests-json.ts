/** What an image's index names, in the Engine API's spelling. */

import { type ImageManifest, manifestsOf } from "../engine/images/image-manifests.ts";
import { contentBytesOf, type ImageRecord, type NameRecord } from "../engine/images/image-record.ts";
import type { Images } from "../engine/images/images.ts";
import type { Digest } from "../spec/digest.ts";
import { isManifestType } from "../spec/oci-image-parse.ts";
import type { FoundImage } from "./image-filters.ts";

/** What an image's names lead to, or this one of its targets; and all that this names. */
export async function withManifests(images: Images, image: ImageRecord, target?: Digest): Promise<object> {
  const { leases } = await images.stores();
  using lease = leases.open();
  const found = await manifestsOf(images, image, lease, target);
  return { Descriptor: found.target, Manifests: manifestsJson(found.manifests, images) };
}

/** Names of one image that lead to different indexes are images of their own where these are shown. */
export function rowsByTarget(row: FoundImage): FoundImage[] {
  const targets = new Map<Digest, NameRecord[]>();
  for (const name of row.names) targets.set(name.target, [...(targets.get(name.target) ?? []), name]);
  return targets.size < 2 ? [row] : [...targets.values()].map((names) => ({ ...row, names }));
}

function manifestsJson(manifests: readonly ImageManifest[], { users }: Pick<Images, "users">): object[] {
  return manifests.map(({ descriptor, isHere, contentBytes, attests, image }) => {
    const unpackedBytes = image === undefined ? 0 : contentBytesOf(image);
    const common = {
      ID: descriptor.digest,
      Descriptor: descriptor,
      Available: isHere,
      Size: { Content: contentBytes, Total: contentBytes + unpackedBytes },
    };
    if (attests !== undefined) return { ...common, Kind: "attestation", AttestationData: { For: attests } };
    const platform = descriptor.platform ?? image?.platform;
    if (!isManifestType(descriptor.mediaType) || platform?.os === "unknown") return { ...common, Kind: "unknown" };
    return {
      ...common,
      Kind: "image",
      ImageData: {
        Platform: platform ?? { architecture: "", os: "" },
        Containers: image === undefined ? [] : users.usersOf(image.id).map(({ id }) => id),
        Size: { Unpacked: unpackedBytes },
      },
    };
  });
}
