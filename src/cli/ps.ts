/** `orlop ps`. */
import { formatAge } from "../base/duration.ts";
import { formatSize } from "../base/size.ts";
import type { ContainerSummary, PortSummary } from "../client/container-types.ts";
import { command } from "./context.ts";
import { listFormat, printList } from "./format-flags.ts";
import { parseFilters } from "./key-filters.ts";
import { formatTime, labelCells } from "./row-cells.ts";

export const ps = command({
  name: "ps",
  summary: "List containers",
  flags: {
    all: { type: "switch", short: "a", help: "Those that are not running, too" },
    quiet: { type: "switch", short: "q", help: "Only their IDs" },
    noTrunc: { type: "switch", help: "Full IDs and commands" },
    last: { type: "integer", short: "n", min: -1, help: "Only the last ones created, running or not" },
    latest: { type: "switch", short: "l", help: "Only the last one created, running or not" },
    filter: {
      type: "list",
      short: "f",
      value: "KEY=VALUE",
      help: "Only those that match, e.g. status=exited, name=web, label=a=b",
    },
    format: listFormat,
    size: { type: "switch", short: "s", help: "Show their size on disk, too" },
  },
  inEngine: true,
  examples: ["orlop ps", "orlop ps -aq --filter status=exited", "orlop ps --format 'table {{.Names}}\\t{{.Status}}'"],
  async run({ flags, ...context }) {
    const { engine, print } = context;
    const limit = flags.latest ? 1 : (flags.last ?? -1);
    const containers = await engine.containers.list({
      all: flags.all,
      // A template that asks for sizes is given them, though nobody asked the engine.
      size: flags.size || /\.Size\b/.test(flags.format),
      ...(limit > 0 ? { limit } : {}),
      ...(flags.filter.length === 0 ? {} : { filters: parseFilters(flags.filter) }),
    });
    const now = Date.now();
    const rows = containers.map((container) => containerRow(container, flags.noTrunc, now));
    if (flags.quiet) for (const row of rows) await print(row.ID);
    else {
      const columns = [...usual, ...(flags.size ? (["Size"] as const) : [])];
      await printList({ rows, titles, columns }, flags.format, context);
    }
    return 0;
  },
});

const usual = ["ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names"] as const;

const titles = {
  ID: "CONTAINER ID",
  Image: "IMAGE",
  Command: "COMMAND",
  CreatedAt: "CREATED AT",
  RunningFor: "CREATED",
  State: "STATE",
  Status: "STATUS",
  Ports: "PORTS",
  Names: "NAMES",
  Size: "SIZE",
  Labels: "LABELS",
  Mounts: "MOUNTS",
  LocalVolumes: "LOCAL VOLUMES",
  Networks: "NETWORKS",
};

/** One container as Docker's CLI shows it; the names are those of its `--format json`. */
export function containerRow(container: ContainerSummary, whole: boolean, nowMs: number) {
  const mounts = container.Mounts ?? [];
  const command = whole || container.Command.length <= 20 ? container.Command : `${container.Command.slice(0, 19)}…`;
  return {
    ID: whole ? container.Id : container.Id.slice(0, 12),
    Image: container.Image,
    Command: JSON.stringify(command),
    CreatedAt: formatTime(container.Created),
    RunningFor: `${formatAge(nowMs - container.Created * 1000)} ago`,
    State: container.State,
    Status: container.Status,
    Ports: (container.Ports ?? []).map(formatPort).join(", "),
    Names: container.Names.map((name) => name.replace(/^\//, "")).join(","),
    Size: `${formatSize(container.SizeRw ?? 0)} (virtual ${formatSize(container.SizeRootFs ?? 0)})`,
    ...labelCells(container.Labels ?? {}),
    Mounts: mounts
      .map((mount) => (mount.Name === undefined || mount.Name === "" ? mount.Source : mount.Name))
      .join(","),
    LocalVolumes: String(mounts.filter(({ Driver }) => Driver === "local").length),
    Networks: Object.keys(container.NetworkSettings?.Networks ?? {})
      .sort()
      .join(","),
  };
}

function formatPort(port: PortSummary): string {
  const inside = `${port.PrivatePort}/${port.Type}`;
  if (port.PublicPort === undefined) return inside;
  const ip = port.IP?.includes(":") ? `[${port.IP}]` : (port.IP ?? "");
  return `${ip}:${port.PublicPort}->${inside}`;
}
