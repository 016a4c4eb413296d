/** `orlop search`. */

import { authFor } from "../client/registry-auth.ts";
import { command } from "./context.ts";
import { formatTable } from "./format-table.ts";
import { parseFilters } from "./key-filters.ts";

export const search = command({
  name: "search",
  summary: "Search docker.io, or another registry (HOST/TERM), for repositories",
  args: "TERM",
  flags: {
    filter: { type: "list", short: "f", value: "KEY=VALUE", help: "Only those that match: stars=10, is-official=true" },
    limit: { type: "integer", min: 1, max: 100, default: 25, help: "Show at most this many" },
    noTrunc: { type: "switch", help: "Full descriptions" },
    format: { type: "text", choices: ["table", "json"], default: "table", help: "How to print them" },
  },
  examples: ["orlop search --filter is-official=true debian"],
  async run({ args, flags, engine, env, print, stdout }) {
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
    if (flags.format === "json") for (const row of rows) await print(JSON.stringify(row));
    else {
      const cells = rows.map((row) => [row.Name, row.Description, row.StarCount, row.IsOfficial]);
      await stdout.write(formatTable(["NAME", "DESCRIPTION", "STARS", "OFFICIAL"], cells));
    }
    return 0;
  },
});
