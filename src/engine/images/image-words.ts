/** How images are written: names whole and as Docker shows them, ids. */

import { formatReference, parseReference, type Reference } from "../../spec/reference.ts";

/** An id or the beginning of one; its digits are the first group. */
export const idPattern = /^(?:sha256:)?([0-9a-f]{1,64})$/;

/** The key of a name: with a digest the tag beside it means nothing, as in Docker. */
export function nameKey(reference: Reference): string {
  const { host, repository, digest } = reference;
  return digest === undefined ? formatReference(reference) : formatReference({ host, repository, digest });
}

export function wholeName(written: string): string {
  return nameKey(parseReference(written));
}

/** As Docker names an image in its messages. */
export function withTag(written: string): string {
  if (idPattern.test(written)) return written;
  const name = written.slice(written.lastIndexOf("/") + 1);
  return name.includes(":") || name.includes("@") ? written : `${written}:latest`;
}
