/** `orlop system prune`. */
import { OrlopError } from "../base/errors.ts";
import { formatSize } from "../base/size.ts";
import { confirm } from "./confirm.ts";
import { command } from "./context.ts";
import { parseFilters } from "./key-filters.ts";
import { pruneContainers, pruneImages, pruneNetworks, pruneVolumes } from "./prune-parts.ts";

export const systemPrune = command({
  name: "prune",
  summary: "Remove what nothing uses: stopped containers, networks, images without a name",
  description: "Volumes stay, except with --volumes: they hold data.",
  flags: {
    all: { type: "switch", short: "a", help: "All images that no container uses" },
    filter: { type: "list", value: "KEY=VALUE", help: "Only those that match, e.g. until=24h, label=a=b, label!=keep" },
    force: { type: "switch", short: "f", help: "Do not ask" },
    volumes: { type: "switch", help: "Anonymous volumes that no container has, too" },
  },
  inEngine: true,
  examples: ["orlop system prune", "orlop system prune -af --volumes"],
  async run({ flags, ...context }) {
    const filters = parseFilters(flags.filter);
    if (flags.volumes && filters["until"] !== undefined)
      throw OrlopError.of("bad_value", {
        what: "--filter",
        value: `until=${filters["until"]}`,
        expected: "another one with --volumes: a volume's age says nothing of what is in it",
      });
    if (!flags.force && !(await confirm(warning(flags), context))) return 0;
    let freed = await pruneContainers(context, filters);
    await pruneNetworks(context, filters);
    if (flags.volumes) freed += await pruneVolumes(context, filters);
    freed += await pruneImages(context, filters, flags.all);
    await context.print(`Total reclaimed space: ${formatSize(freed)}`);
    return 0;
  },
});

function warning({ all, volumes }: { readonly all: boolean; readonly volumes: boolean }): string {
  const parts = [
    "all stopped containers",
    "all networks not used by at least one container",
    ...(volumes ? ["all anonymous volumes not used by at least one container"] : []),
    all ? "all images without at least one container associated to them" : "all dangling images",
  ];
  return `This will remove:\n${parts.map((part) => `  - ${part}`).join("\n")}\n`;
}
