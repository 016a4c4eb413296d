/** What a pull asks for. */
import { parseReference } from "../spec/reference.ts";

/** The tag to ask for where a name has none: the API takes a pull without one as a pull of every tag. @throws {OrlopError} bad_reference */
export function tagToPull(image: string): string | undefined {
  const { tag } = parseReference(image);
  return image.includes("@") || image.endsWith(`:${tag}`) ? undefined : "latest";
}
