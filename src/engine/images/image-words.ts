/** The spelling of images: complete names, names as Docker shows them, ids. */

import { formatReference, parseReference, type Reference } from "../../spec/reference.ts";

/** An id or an id prefix; the digits are the first group. */
export const idPattern = /^(?:sha256:)?([0-9a-f]{1,64})$/;

/** The key of a name. A tag beside a digest is ignored, as in Docker. */
export function nameKey(reference: Reference): string {
  const { host, repository, digest } = reference;
  return digest === undefined ? formatReference(reference) : formatReference({ host, repository, digest });
}

export function wholeName(written: string): string {
  return nameKey(parseReference(written));
}

/** An image's name in Docker's messages. */
export function withTag(written: string): string {
  if (idPattern.test(written)) return written;
  const name = written.slice(written.lastIndexOf("/") + 1);
  return name.includes(":") || name.includes("@") ? written : `${written}:latest`;
}
