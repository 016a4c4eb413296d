/** `orlop network prune`. */
import { confirm } from "./confirm.ts";
import { command } from "./context.ts";
import { parseFilters } from "./key-filters.ts";
import { pruneNetworks } from "./prune-parts.ts";

export const networkPrune = command({
  name: "prune",
  summary: "Remove the networks that no container is in",
  flags: {
    filter: { type: "list", value: "KEY=VALUE", help: "Only those that match, e.g. until=24h, label=a=b, label!=keep" },
    force: { type: "switch", short: "f", help: "Do not ask" },
  },
  inEngine: true,
  examples: ["orlop network prune"],
  async run({ flags, ...context }) {
    const warning = "This will remove all custom networks not used by at least one container.";
    if (!flags.force && !(await confirm(warning, context))) return 0;
    await pruneNetworks(context, parseFilters(flags.filter));
    return 0;
  },
});
