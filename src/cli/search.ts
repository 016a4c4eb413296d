/** `orlop search`. */

import { authFor } from "../client/registry-auth.ts";
import { command } from "./context.ts";
import { listFormat, printList } from "./format-flags.ts";
import { parseFilters } from "./key-filters.ts";

export const search = command({
  name: "search",
  summary: "Search docker.io, or another registry (HOST/TERM), for repositories",
  args: "TERM",
  flags: {
    filter: { type: "list", short: "f", value: "KEY=VALUE", help: "Only those that match: stars=10, is-official=true" },
    limit: { type: "integer", min: 1, max: 100, default: 25, help: "Show at most this many" },
    noTrunc: { type: "switch", help: "Full descriptions" },
    format: listFormat,
  },
  examples: ["orlop search --filter is-official=true debian"],
  async run({ args, flags, ...context }) {
    const { engine, env } = context;
    const [term = ""] = args;
    const host = term.includes("/") ? term : `docker.io/${/^[a-z0-9]+$/.test(term) ? term : "x"}`;
    const { auth } = await authFor(host, env);
    const found = await engine.images.search(term, flags.limit, parseFilters(flags.filter), auth);
    const rows = found.map(({ name, description, star_count, is_official }) => ({
      Name: name,
      Description: flags.noTrunc || description.length <= 45 ? description : `${description.slice(0, 44)}…`,
      StarCount: String(star_count),
      IsOfficial: is_official ? "[OK]" : "",
    }));
    await printList(
      { rows, titles, columns: ["Name", "Description", "StarCount", "IsOfficial"] },
      flags.format,
      context,
    );
    return 0;
  },
});

const titles = { Name: "NAME", Description: "DESCRIPTION", StarCount: "STARS", IsOfficial: "OFFICIAL" };
