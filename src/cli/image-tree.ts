/** Images and their platforms, as `orlop images --tree` shows them. */

import { formatSize } from "../base/size.ts";
import type { ImageSummary, ManifestSummary } from "../client/image-types.ts";
import { formatPlatform } from "../spec/platform.ts";
import { formatTable } from "./format-table.ts";

const titles = ["IMAGE", "ID", "DISK USAGE", "CONTENT SIZE", "CONTAINERS"];

/** A platform that is named but not here has no sizes. */
export function imageTree(images: readonly ImageSummary[], shownId: (id: string) => string): string {
  return formatTable(
    titles,
    images.flatMap((image) => {
      const manifests = image.Manifests ?? [];
      const platforms = manifests.filter(({ Kind }) => Kind === "image");
      const contentBytes = manifests.reduce((sum, { Size }) => sum + Size.Content, 0);
      const users = platforms.reduce((sum, { ImageData }) => sum + (ImageData?.Containers.length ?? 0), 0);
      const names = image.RepoTags?.length ? image.RepoTags : (image.RepoDigests ?? []);
      const sizes = [formatSize(image.Size + contentBytes), formatSize(contentBytes), String(users)];
      const own = [names.length > 0 ? names.join(", ") : "<untagged>", shownId(image.Id), ...sizes];
      return [own, ...platforms.map((one, i) => platformRow(one, i === platforms.length - 1, shownId))];
    }),
  );
}

function platformRow(manifest: ManifestSummary, isLast: boolean, shownId: (id: string) => string): string[] {
  const { ID, Available, Size, ImageData } = manifest;
  const platform = ImageData === undefined ? "" : formatPlatform(ImageData.Platform);
  const sizes = Available
    ? [formatSize(Size.Total), formatSize(Size.Content), String(ImageData?.Containers.length ?? 0)]
    : ["-", "-", ""];
  return [`${isLast ? "└─" : "├─"} ${platform}`, shownId(ID), ...sizes];
}
