/** `orlop system df -v`: each image, container and volume, with what it takes. */
import { formatAge } from "../base/duration.ts";
import { formatSize } from "../base/size.ts";
import type { ContainerSummary } from "../client/container-types.ts";
import type { ImageSummary } from "../client/image-types.ts";
import type { DiskUsage } from "../client/system-client.ts";
import { formatTable } from "./format-table.ts";
import { containerRow } from "./ps.ts";

export function verboseUsage({ Images, Containers, Volumes }: DiskUsage, nowMs: number): string {
  return [
    section(
      "Images",
      ["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE", "SHARED SIZE", "UNIQUE SIZE", "CONTAINERS"],
      (Images ?? []).flatMap((image) => imageRows(image, nowMs)),
    ),
    section(
      "Containers",
      ["CONTAINER ID", "IMAGE", "COMMAND", "LOCAL VOLUMES", "SIZE", "CREATED", "STATUS", "NAMES"],
      (Containers ?? []).map((container) => containerCells(container, nowMs)),
    ),
    section(
      "Local Volumes",
      ["VOLUME NAME", "LINKS", "SIZE"],
      (Volumes ?? []).map(({ Name, UsageData }) => [
        Name,
        String(UsageData?.RefCount ?? 0),
        formatSize(UsageData?.Size ?? 0),
      ]),
    ),
  ].join("\n");
}

function section(what: string, titles: readonly string[], rows: readonly (readonly string[])[]): string {
  return `${what} space usage:\n\n${formatTable(titles, rows)}`;
}

/** One for each name. */
function imageRows(image: ImageSummary, nowMs: number): string[][] {
  const shared = Math.max(0, image.SharedSize ?? 0);
  const cells = [
    image.Id.slice("sha256:".length, "sha256:".length + 12),
    image.Created === 0 ? "N/A" : `${formatAge(nowMs - image.Created * 1000)} ago`,
    formatSize(image.Size),
    formatSize(shared),
    formatSize(image.Size - shared),
    String(Math.max(0, image.Containers ?? 0)),
  ];
  const names = image.RepoTags ?? [];
  return (names.length === 0 ? ["<none>:<none>"] : names).map((name) => {
    const colon = name.lastIndexOf(":");
    return [name.slice(0, colon), name.slice(colon + 1), ...cells];
  });
}

function containerCells(container: ContainerSummary, nowMs: number): string[] {
  const { ID, Image, Command, RunningFor, Status, Names } = containerRow(container, false, nowMs);
  const volumes = (container.Mounts ?? []).filter(({ Type }) => Type === "volume").length;
  return [ID, Image, Command, String(volumes), formatSize(container.SizeRw ?? 0), RunningFor, Status, Names];
}
