/** `orlop volume ls`. */
import { command } from "./context.ts";
import { formatTable } from "./format-table.ts";
import { parseFilters } from "./key-filters.ts";

export const volumeLs = command({
  name: "ls",
  summary: "List volumes",
  flags: {
    quiet: { type: "switch", short: "q", help: "Only their names" },
    filter: {
      type: "list",
      short: "f",
      value: "KEY=VALUE",
      help: "Only those that match: dangling=true, name=TEXT, label=a=b, driver=local",
    },
    format: { type: "text", choices: ["table", "json"], default: "table", help: "How to print them" },
    cluster: { type: "later", takesValue: false, help: "" },
  },
  inEngine: true,
  examples: ["orlop volume ls", "orlop volume ls -qf dangling=true"],
  async run({ flags, engine, print, stdout }) {
    const found = await engine.volumes.list(parseFilters(flags.filter));
    const volumes = found.toSorted((a, b) => (a.Name < b.Name ? -1 : 1));
    if (flags.quiet) for (const { Name } of volumes) await print(Name);
    else if (flags.format === "json") for (const volume of volumes) await print(JSON.stringify(volume));
    else
      await stdout.write(
        formatTable(
          ["DRIVER", "VOLUME NAME"],
          volumes.map(({ Driver, Name }) => [Driver, Name]),
        ),
      );
    return 0;
  },
});
