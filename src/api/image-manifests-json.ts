/** What an image's index names, in the Engine API's spelling. */

import type { ImageManifest } from "../engine/images/image-manifests.ts";
import { contentBytesOf } from "../engine/images/image-record.ts";
import type { Images } from "../engine/images/images.ts";
import { isManifestType } from "../spec/oci-image-parse.ts";

export function manifestsJson(manifests: readonly ImageManifest[], { users }: Pick<Images, "users">): object[] {
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
