/** `orlop volume prune`. */
import { formatSize } from "../base/size.ts";
import { confirm } from "./confirm.ts";
import { command } from "./context.ts";
import { parseFilters } from "./key-filters.ts";
import { pruneVolumes } from "./prune-parts.ts";

export const volumePrune = command({
  name: "prune",
  summary: "Remove anonymous volumes that no container uses",
  flags: {
    all: { type: "switch", short: "a", help: "Named ones, too" },
    filter: { type: "list", value: "KEY=VALUE", help: "Only those that match: label=a=b, label!=a" },
    force: { type: "switch", short: "f", help: "Do not ask" },
  },
  inEngine: true,
  examples: ["orlop volume prune", "orlop volume prune -af --filter label!=keep"],
  async run({ flags, ...context }) {
    const which = flags.all ? "all volumes that no container has" : "the volumes without a name that no container has";
    if (!flags.force && !(await confirm(`This will remove ${which}.`, context))) return 0;
    const all = flags.all ? { all: ["true"] } : {};
    const freed = await pruneVolumes(context, { ...parseFilters(flags.filter), ...all });
    await context.print(`Total reclaimed space: ${formatSize(freed)}`);
    return 0;
  },
});
