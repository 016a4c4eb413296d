/** `orlop image prune`. */
import { formatSize } from "../base/size.ts";
import { confirm } from "./confirm.ts";
import { command } from "./context.ts";
import { parseFilters } from "./key-filters.ts";
import { pruneImages } from "./prune-parts.ts";

export const imagePrune = command({
  name: "prune",
  summary: "Remove images without a name, and what unfinished downloads left behind",
  flags: {
    all: { type: "switch", short: "a", help: "All images that no container uses" },
    force: { type: "switch", short: "f", help: "Do not ask" },
    filter: { type: "list", value: "KEY=VALUE", help: "Only those that match, e.g. until=24h, label=a=b, label!=keep" },
  },
  inEngine: true,
  examples: ["orlop image prune", "orlop image prune -af --filter until=240h"],
  async run({ flags, ...context }) {
    const filters = parseFilters(flags.filter);
    const which = flags.all ? "images without at least one container associated to them" : "dangling images";
    if (!flags.force && !(await confirm(`This will remove all ${which}.`, context))) return 0;
    const freed = await pruneImages(context, filters, flags.all);
    await context.print(`Total reclaimed space: ${formatSize(freed)}`);
    return 0;
  },
});
