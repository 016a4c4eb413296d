/** `orlop system df`. */
import { formatSize } from "../base/size.ts";
import type { DiskUsage } from "../client/system-client.ts";
import { command } from "./context.ts";
import { listFormat, printList } from "./format-flags.ts";
import { verboseUsage } from "./system-df-verbose.ts";

export const systemDf = command({
  name: "df",
  summary: "Show how much disk space is used, and how much could be freed",
  description: `Images are counted unpacked, each layer once; "Blobs" are the same layers as they came from the registry, which are kept
for pushes and for repairs (orlop system check).`,
  flags: {
    format: listFormat,
    verbose: { type: "switch", short: "v", help: "Each image, container and volume" },
  },
  inEngine: true,
  examples: ["orlop system df", "orlop system df -v"],
  async run({ flags, ...context }) {
    const { engine, stdout } = context;
    const usage = await engine.system.diskUsage();
    const rows = rowsOf(usage);
    if (flags.verbose) await stdout.write(verboseUsage(usage, Date.now()));
    else await printList({ rows, titles, columns }, flags.format, context);
    return 0;
  },
});

const columns = ["Type", "TotalCount", "Active", "Size", "Reclaimable"] as const;
const titles = { Type: "TYPE", TotalCount: "TOTAL", Active: "ACTIVE", Size: "SIZE", Reclaimable: "RECLAIMABLE" };

function rowsOf({ LayersSize, BlobsSize = 0, Images, Containers, Volumes }: DiskUsage) {
  const images = Images ?? [];
  const used = images.filter((image) => (image.Containers ?? 0) > 0);
  const usedBytes = used.reduce((sum, image) => sum + image.Size - (image.SharedSize ?? 0), 0);
  const containers = Containers ?? [];
  const running = containers.filter(({ State }) => State === "running" || State === "paused");
  const written = (list: typeof containers) => list.reduce((sum, one) => sum + (one.SizeRw ?? 0), 0);
  const volumes = Volumes ?? [];
  const inUse = volumes.filter(({ UsageData }) => (UsageData?.RefCount ?? 0) > 0);
  const kept = (list: typeof volumes) => list.reduce((sum, one) => sum + (one.UsageData?.Size ?? 0), 0);
  return [
    row("Images", images.length, used.length, LayersSize, images.length === 0 ? 0 : LayersSize - usedBytes),
    row("Blobs", images.length, used.length, BlobsSize, images.length === used.length ? 0 : undefined),
    row("Containers", containers.length, running.length, written(containers), written(containers) - written(running)),
    row("Local Volumes", volumes.length, inUse.length, kept(volumes), kept(volumes) - kept(inUse)),
    row("Build Cache", 0, 0, 0, 0),
  ];
}

/** reclaimable: undefined where it is not known without removing. */
function row(type: string, total: number, active: number, bytes: number, reclaimable: number | undefined) {
  const share = bytes > 0 && reclaimable !== undefined ? ` (${Math.floor((reclaimable / bytes) * 100)}%)` : "";
  return {
    Type: type,
    TotalCount: String(total),
    Active: String(active),
    Size: formatSize(bytes),
    Reclaimable: reclaimable === undefined ? "" : formatSize(reclaimable) + share,
  };
}
