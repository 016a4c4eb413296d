/** `orlop container prune`. */
import { formatSize } from "../base/size.ts";
import { confirm } from "./confirm.ts";
import { command } from "./context.ts";
import { parseFilters } from "./key-filters.ts";

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
    const { engine, print } = context;
    const filters = parseFilters(flags.filter);
    if (!flags.force && !(await confirm("This will remove all stopped containers.", context))) return 0;
    const { ContainersDeleted, SpaceReclaimed } = await engine.containers.prune(filters);
    if (ContainersDeleted !== null && ContainersDeleted.length > 0) {
      await print("Deleted Containers:");
      for (const id of ContainersDeleted) await print(id);
      await print("");
    }
    await print(`Total reclaimed space: ${formatSize(SpaceReclaimed)}`);
    return 0;
  },
});
