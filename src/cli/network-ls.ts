/** `orlop network ls`. */
import type { NetworkSummary } from "../client/network-types.ts";
import { command } from "./context.ts";
import { formatTable } from "./format-table.ts";
import { parseFilters } from "./key-filters.ts";

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
    format: { type: "text", choices: ["table", "json"], default: "table", help: "How to print them" },
  },
  inEngine: true,
  examples: ["orlop network ls", "orlop network ls -qf type=custom"],
  async run({ flags, engine, print, stdout }) {
    const networks = await engine.networks.list(parseFilters(flags.filter));
    const rows = networks.map((network) => rowOf(network, flags.noTrunc));
    if (flags.quiet) for (const { ID } of rows) await print(ID);
    else if (flags.format === "json") for (const row of rows) await print(JSON.stringify(row));
    else
      await stdout.write(
        formatTable(
          ["NETWORK ID", "NAME", "DRIVER", "SCOPE"],
          rows.map(({ ID, Name, Driver, Scope }) => [ID, Name, Driver, Scope]),
        ),
      );
    return 0;
  },
});

/** As Docker's CLI has it; the names are those of its `--format json`. */
function rowOf(network: NetworkSummary, whole: boolean) {
  const labels = Object.entries(network.Labels ?? {}).map(([key, value]) => `${key}=${value}`);
  return {
    ID: whole ? network.Id : network.Id.slice(0, 12),
    Name: network.Name,
    Driver: network.Driver,
    Scope: network.Scope,
    CreatedAt: network.Created,
    IPv4: String(network.EnableIPv4 ?? true),
    IPv6: String(network.EnableIPv6),
    Internal: String(network.Internal),
    Labels: labels.join(","),
  };
}
