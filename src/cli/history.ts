/** `orlop history`. */
import { formatAge } from "../base/duration.ts";
import { formatSize } from "../base/size.ts";
import type { HistoryEntry } from "../client/image-types.ts";
import { command } from "./context.ts";
import { listFormat, printList } from "./format-flags.ts";

export const history = command({
  name: "history",
  summary: "Show the steps that made an image",
  args: "IMAGE",
  flags: {
    noTrunc: { type: "switch", help: "Full IDs and commands" },
    quiet: { type: "switch", short: "q", help: "Only IDs" },
    human: { type: "switch", short: "H", default: true, help: "Sizes and dates for people" },
    format: listFormat,
    platform: { type: "text", value: "OS/ARCHITECTURE", help: "Platform that the image must be for" },
  },
  inEngine: true,
  examples: ["orlop history debian", "orlop history --no-trunc --format json web"],
  async run({ args, flags, ...context }) {
    const { engine, print } = context;
    const entries = await engine.images.history(args[0] ?? "", flags.platform);
    const rows = entries.map((entry) => rowOf(entry, flags, Date.now()));
    if (flags.quiet) for (const { ID } of rows) await print(ID);
    else {
      const created = flags.human ? "CreatedSince" : "CreatedAt";
      const columns = ["ID", created, "CreatedBy", "Size", "Comment"] as const;
      await printList({ rows, titles, columns }, flags.format, context);
    }
    return 0;
  },
});

const titles = {
  ID: "IMAGE",
  CreatedAt: "CREATED",
  CreatedSince: "CREATED",
  CreatedBy: "CREATED BY",
  Size: "SIZE",
  Comment: "COMMENT",
};

function rowOf(entry: HistoryEntry, flags: { readonly noTrunc: boolean; readonly human: boolean }, nowMs: number) {
  const by = entry.CreatedBy.replaceAll("\t", " ");
  return {
    ID: flags.noTrunc ? entry.Id : entry.Id.replace(/^sha256:/, "").slice(0, 12),
    CreatedAt: new Date(entry.Created * 1000).toISOString().replace(".000Z", "Z"),
    CreatedSince: entry.Created === 0 ? "N/A" : `${formatAge(nowMs - entry.Created * 1000)} ago`,
    CreatedBy: flags.noTrunc || by.length <= 45 ? by : `${by.slice(0, 44)}…`,
    Size: flags.human ? formatSize(entry.Size) : String(entry.Size),
    Comment: entry.Comment,
  };
}
