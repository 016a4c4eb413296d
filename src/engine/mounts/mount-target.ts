/** Where a mount goes in the container. */

import { posix } from "node:path";
import type { OrlopError } from "../../base/errors.ts";

/** Absolute and clean, so that two ways of writing one path are one. @param refuse makes the error of a reason */
export function cleanTarget(path: string, refuse: (reason: string) => OrlopError): string {
  if (path === "") throw refuse("field Target must not be empty");
  if (!path.startsWith("/")) throw refuse(`invalid mount path: '${path}' mount path must be absolute`);
  const clean = posix.normalize(path).replace(/(?<=.)\/$/, "");
  if (clean === "/") throw refuse("invalid specification: destination can't be '/'");
  return clean;
}
