/** Content digests: `sha256:` and 64 lower-case hexadecimal digits (OCI image-spec descriptor.md, "Digests"). */
import { OrlopError } from "../base/errors.ts";

/** A digest that was parsed: safe as a file name's part, comparable as a string. */
export type Digest = string & { readonly brand: "Digest" };

const sha256Pattern = /^sha256:[a-f0-9]{64}$/;
const otherPattern = /^([a-z0-9]+(?:[+._-][a-z0-9]+)*):[a-zA-Z0-9=_-]+$/;

/**
 * The digest that `text` writes.
 *
 * @throws {OrlopError} bad_digest: not a digest; unsupported_digest: another algorithm, by name
 */
export function parseDigest(text: string): Digest {
  if (sha256Pattern.test(text)) return text as Digest;
  const algorithm = otherPattern.exec(text)?.[1];
  if (algorithm !== undefined && algorithm !== "sha256") throw OrlopError.of("unsupported_digest", { algorithm });
  throw OrlopError.of("bad_digest", { text: text.slice(0, 200) });
}

/** The digest whose hexadecimal digits a hasher gave. */
export function digestOfHex(hex: string): Digest {
  return parseDigest(`sha256:${hex}`);
}

/** The 64 hexadecimal digits: the blob's file name below `blobs/sha256`. */
export function hexOf(digest: Digest): string {
  return digest.slice("sha256:".length);
}
