/** What an archive says between entries about the next one, and how much of it is taken. */

import { type RawHeader, TarFault } from "./tar-header.ts";
import { nameMax } from "./tar-read-entry.ts";

export const extensionMax = 1 << 20;

type Extension = "pax" | "global" | "long-name" | "long-link";

/** Why bytes are being collected instead of passed on. */
export type Collecting = Extension | "gnu-extents" | "sparse-map";

const extensions: Readonly<Record<string, Extension>> = {
  x: "pax",
  X: "pax",
  g: "global",
  L: "long-name",
  K: "long-link",
};

const described: Readonly<Record<Extension, string>> = {
  pax: "an extended header",
  global: "a global header",
  "long-name": "a name",
  "long-link": "a link's target",
};

/** Which extension this header begins, if it is one. @throws {TarFault} one that is too large */
export function extensionOf({ type, size }: RawHeader): Extension | undefined {
  const extension = extensions[type];
  if (extension === undefined) return undefined;
  const limit = extension === "pax" || extension === "global" ? extensionMax : nameMax + 1;
  if (size > limit) throw new TarFault(`${described[extension]} is over ${limit} bytes`);
  return extension;
}
