/** An image's name as the API takes it where it makes one: in two parts. */
import { OrlopError } from "../base/errors.ts";
import { familiarName, formatReference, parseReference } from "../spec/reference.ts";

/** @throws {OrlopError} bad_reference; bad_value for a digest, which nobody can choose */
export function splitName(name: string | undefined): { readonly repo?: string; readonly tag?: string } {
  if (name === undefined || name === "") return {};
  const reference = parseReference(name);
  if (reference.digest !== undefined)
    throw OrlopError.of("bad_value", { what: "name", value: formatReference(reference), expected: "NAME[:TAG]" });
  return { repo: familiarName(reference), ...(reference.tag === undefined ? {} : { tag: reference.tag }) };
}
