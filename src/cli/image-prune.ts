/** `orlop image prune`. */
import { formatSize } from "../base/size.ts";
import { confirm } from "./confirm.ts";
import { command } from "./context.ts";
import { parseFilters } from "./key-filters.ts";

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
    const { engine, print } = context;
    const filters = { ...parseFilters(flags.filter), dangling: [String(!flags.all)] };
    const which = flags.all ? "images without at least one container associated to them" : "dangling images";
    if (!flags.force && !(await confirm(`This will remove all ${which}.`, context))) return 0;
    const { ImagesDeleted, SpaceReclaimed } = await engine.images.prune(filters);
    if (ImagesDeleted !== null && ImagesDeleted.length > 0) {
      await print("Deleted Images:");
      for (const { Untagged, Deleted } of ImagesDeleted)
        await print(Untagged === undefined ? `deleted: ${Deleted}` : `untagged: ${Untagged}`);
      await print("");
    }
    await print(`Total reclaimed space: ${formatSize(SpaceReclaimed)}`);
    return 0;
  },
});
