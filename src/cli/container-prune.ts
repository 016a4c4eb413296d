/** `orlop container prune`. */
import { formatSize } from "../base/size.ts";
import { confirm } from "./confirm.ts";
import { command } from "./context.ts";
import { parseFilters } from "./key-filters.ts";
import { pruneContainers } from "./prune-parts.ts";

export const containerPrune = command({
  name: "prune",
  summary: "Remove all containers that are not running",
  flags: {
    force: { type: "switch", short: "f", help: "Do not ask" },
    filter: { type: "list", value: "KEY=VALUE", help: "Only those that match, e.g. until=24h, label=a=b, label!=keep" },
  },
  inEngine: true,
  examples: ["orlop container prune", "orlop container prune -f --filter until=24h"],
  async run({ flags, ...context }) {
    const filters = parseFilters(flags.filter);
    if (!flags.force && !(await confirm("This will remove all stopped containers.", context))) return 0;
    const freed = await pruneContainers(context, filters);
    await context.print(`Total reclaimed space: ${formatSize(freed)}`);
    return 0;
  },
});
