/** `orlop ps`. */
import { formatAge } from "../base/duration.ts";
import { formatSize } from "../base/size.ts";
import type { ContainerSummary, PortSummary } from "../client/container-types.ts";
import { command } from "./context.ts";
import { formatTable } from "./format-table.ts";
import { parseFilters } from "./key-filters.ts";

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
    format: { type: "text", choices: ["table", "json"], default: "table", help: "How to print them" },
    size: { type: "switch", short: "s", help: "Show their size on disk, too" },
  },
  inEngine: true,
  examples: ["orlop ps", "orlop ps -aq --filter status=exited", "orlop ps --format json"],
  async run({ flags, engine, print, stdout }) {
    const limit = flags.latest ? 1 : (flags.last ?? -1);
    const containers = await engine.containers.list({
      all: flags.all,
      size: flags.size,
      ...(limit > 0 ? { limit } : {}),
      ...(flags.filter.length === 0 ? {} : { filters: parseFilters(flags.filter) }),
    });
    const now = Date.now();
    const rows = containers.map((container) => containerRow(container, flags.noTrunc, now));
    if (flags.quiet) for (const row of rows) await print(row.ID);
    else if (flags.format === "json") for (const row of rows) await print(JSON.stringify(row));
    else
      await stdout.write(
        formatTable(
          [...titles, ...(flags.size ? ["SIZE"] : [])],
          rows.map((row) => [
            row.ID,
            row.Image,
            row.Command,
            row.RunningFor,
            row.Status,
            row.Ports,
            row.Names,
            ...(flags.size ? [row.Size] : []),
          ]),
        ),
      );
    return 0;
  },
});

const titles = ["CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"];

/** One container as Docker's CLI shows it; the names are those of its `--format json`. */
export function containerRow(container: ContainerSummary, whole: boolean, nowMs: number) {
  const command = whole || container.Command.length <= 20 ? container.Command : `${container.Command.slice(0, 19)}…`;
  return {
    ID: whole ? container.Id : container.Id.slice(0, 12),
    Image: container.Image,
    Command: JSON.stringify(command),
    CreatedAt: new Date(container.Created * 1000).toISOString(),
    RunningFor: `${formatAge(nowMs - container.Created * 1000)} ago`,
    State: container.State,
    Status: container.Status,
    Ports: (container.Ports ?? []).map(formatPort).join(", "),
    Names: container.Names.map((name) => name.replace(/^\//, "")).join(","),
    Size: `${formatSize(container.SizeRw ?? 0)} (virtual ${formatSize(container.SizeRootFs ?? 0)})`,
  };
}

function formatPort(port: PortSummary): string {
  const inside = `${port.PrivatePort}/${port.Type}`;
  if (port.PublicPort === undefined) return inside;
  const ip = port.IP?.includes(":") ? `[${port.IP}]` : (port.IP ?? "");
  return `${ip}:${port.PublicPort}->${inside}`;
}
