/** `orlop network ls`. */
import type { NetworkSummary } from "../client/network-types.ts";
import { command } from "./context.ts";
import { listFormat, printList } from "./format-flags.ts";
import { parseFilters } from "./key-filters.ts";
import { formatTimestamp, labelCells } from "./row-cells.ts";

export const networkLs = command({
  name: "ls",
  summary: "List networks",
  flags: {
    quiet: { type: "switch", short: "q", help: "Only their IDs" },
    noTrunc: { type: "switch", help: "Full IDs" },
    filter: {
      type: "list",
      short: "f",
      value: "KEY=VALUE",
      help: "Only those that match: name=TEXT, driver=bridge, type=custom, label=a=b, dangling=true",
    },
    format: listFormat,
  },
  inEngine: true,
  examples: ["orlop network ls", "orlop network ls -qf type=custom"],
  async run({ flags, ...context }) {
    const { engine, print } = context;
    const networks = await engine.networks.list(parseFilters(flags.filter));
    const rows = networks
      .toSorted((a, b) => (a.Name < b.Name ? -1 : 1))
      .map((network) => rowOf(network, flags.noTrunc));
    if (flags.quiet) for (const { ID } of rows) await print(ID);
    else await printList({ rows, titles, columns: ["ID", "Name", "Driver", "Scope"] }, flags.format, context);
    return 0;
  },
});

const titles = {
  ID: "NETWORK ID",
  Name: "NAME",
  Driver: "DRIVER",
  Scope: "SCOPE",
  CreatedAt: "CREATED AT",
  IPv4: "IPV4",
  IPv6: "IPV6",
  Internal: "INTERNAL",
  Labels: "LABELS",
};

/** As Docker's CLI has it; the names are those of its `--format json`. */
function rowOf(network: NetworkSummary, whole: boolean) {
  return {
    ID: whole ? network.Id : network.Id.slice(0, 12),
    Name: network.Name,
    Driver: network.Driver,
    Scope: network.Scope,
    CreatedAt: formatTimestamp(network.Created),
    IPv4: String(network.EnableIPv4 ?? true),
    IPv6: String(network.EnableIPv6),
    Internal: String(network.Internal),
    ...labelCells(network.Labels ?? {}),
  };
}
