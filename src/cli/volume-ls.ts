/** `orlop volume ls`. */
import type { VolumeInspection } from "../client/volumes-client.ts";
import { command } from "./context.ts";
import { listFormat, printList } from "./format-flags.ts";
import { parseFilters } from "./key-filters.ts";
import { labelCells } from "./row-cells.ts";

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
    format: listFormat,
    cluster: { type: "later", takesValue: false, help: "" },
  },
  inEngine: true,
  examples: ["orlop volume ls", "orlop volume ls -qf dangling=true"],
  async run({ flags, ...context }) {
    const { engine, print } = context;
    const found = await engine.volumes.list(parseFilters(flags.filter));
    const volumes = found.toSorted((a, b) => (a.Name < b.Name ? -1 : 1));
    if (flags.quiet) for (const { Name } of volumes) await print(Name);
    else await printList({ rows: volumes.map(rowOf), titles, columns: ["Driver", "Name"] }, flags.format, context);
    return 0;
  },
});

const titles = { Driver: "DRIVER", Name: "VOLUME NAME", Scope: "SCOPE", Mountpoint: "MOUNTPOINT", Labels: "LABELS" };

/** As Docker's CLI has it; the names are those of its `--format json`. */
function rowOf(volume: VolumeInspection) {
  const { Driver, Name, Scope, Mountpoint } = volume;
  return { Driver, Name, Scope, Mountpoint, ...labelCells(volume.Labels ?? {}) };
}
