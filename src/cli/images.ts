/** `orlop images`. */

import { formatAge } from "../base/duration.ts";
import { OrlopError } from "../base/errors.ts";
import { formatSize } from "../base/size.ts";
import type { ImageSummary } from "../client/image-types.ts";
import { command } from "./context.ts";
import { listFormat, printList } from "./format-flags.ts";
import { imageTree } from "./image-tree.ts";
import { parseFilters } from "./key-filters.ts";
import { formatTime } from "./row-cells.ts";

export const images = command({
  name: "images",
  summary: "List images",
  args: "[NAME[:TAG]]",
  flags: {
    all: { type: "switch", short: "a", help: "Does nothing: there are no intermediate images" },
    quiet: { type: "switch", short: "q", help: "Only their IDs" },
    noTrunc: { type: "switch", help: "Full IDs" },
    digests: { type: "switch", help: "Show digests, too" },
    filter: {
      type: "list",
      short: "f",
      value: "KEY=VALUE",
      help: "Only those that match, e.g. dangling=true, reference=web:*, label=a=b",
    },
    format: listFormat,
    tree: { type: "switch", help: "Show the platforms of each image, those that are not here too" },
  },
  inEngine: true,
  examples: ["orlop images", "orlop images -q --filter dangling=true", "orlop images 'debian:*'"],
  async run({ args, flags, ...context }) {
    const { engine, print, stdout } = context;
    const filters = parseFilters([...flags.filter, ...args.map((name) => `reference=${name}`)]);
    if (flags.tree && (flags.quiet || flags.digests || flags.format !== "table"))
      throw OrlopError.of("bad_value", {
        what: "--tree",
        value: "true",
        expected: "neither --quiet nor --digests nor --format beside it",
      });
    const found = await engine.images.list({ all: flags.all, filters, manifests: flags.tree });
    if (flags.tree) {
      await stdout.write(imageTree(found, (id) => shownId(id, flags.noTrunc)));
      return 0;
    }
    const now = Date.now();
    const rows = found.flatMap((image) => rowsOf(image, flags, now));
    if (flags.quiet) for (const id of new Set(rows.map((row) => row.ID))) await print(id);
    else await printList({ rows, titles, columns: columnsOf(flags.digests) }, flags.format, context);
    return 0;
  },
});

interface ImageRow {
  readonly Repository: string;
  readonly Tag: string;
  readonly Digest: string;
  readonly ID: string;
  readonly CreatedAt: string;
  readonly CreatedSince: string;
  readonly Size: string;
}

const titles = {
  Repository: "REPOSITORY",
  Tag: "TAG",
  Digest: "DIGEST",
  ID: "IMAGE ID",
  CreatedAt: "CREATED AT",
  CreatedSince: "CREATED",
  Size: "SIZE",
};

function columnsOf(withDigests: boolean): readonly (keyof ImageRow)[] {
  return ["Repository", "Tag", ...(withDigests ? (["Digest"] as const) : []), "ID", "CreatedSince", "Size"];
}

/** One row for each tag, as Docker's CLI has it: a repository known by its digest alone has <none> for its tag. */
function rowsOf(image: ImageSummary, flags: { readonly noTrunc: boolean; readonly digests: boolean }, nowMs: number) {
  const digests = new Map((image.RepoDigests ?? []).map((name) => splitAt(name, "@")));
  const tagged = (image.RepoTags ?? []).map((name) => splitAt(name, ":"));
  const repositories = new Set(tagged.map(([repository]) => repository));
  const untagged = [...digests.keys()].filter((repository) => !repositories.has(repository));
  const names = [...tagged, ...untagged.map((repository) => [repository, none] as const)];
  const common = {
    ID: shownId(image.Id, flags.noTrunc),
    CreatedAt: formatTime(image.Created),
    CreatedSince: image.Created === 0 ? "N/A" : `${formatAge(nowMs - image.Created * 1000)} ago`,
    Size: formatSize(image.Size),
  };
  return (names.length === 0 ? [[none, none] as const] : names).map(
    ([repository, tag]): ImageRow => ({
      Repository: repository,
      Tag: tag,
      Digest: digests.get(repository) ?? none,
      ...common,
    }),
  );
}

function shownId(id: string, isWhole: boolean): string {
  return isWhole ? id : id.slice("sha256:".length, "sha256:".length + 12);
}

const none = "<none>";

function splitAt(name: string, mark: string): readonly [string, string] {
  const at = name.lastIndexOf(mark);
  return [name.slice(0, at), name.slice(at + 1)];
}
