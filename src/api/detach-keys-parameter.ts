/** The parameter `detachKeys`. */

import { defaultDetachKeys, parseDetachKeys } from "../engine/containers/detach-keys.ts";
import type { ParseParameter } from "./query.ts";

/** The bytes that are typed; Docker's own where none are given. @throws {OrlopError} bad_detach_keys */
export const detachKeys: ParseParameter<readonly number[]> = (given) =>
  given === undefined || given === "" ? defaultDetachKeys : parseDetachKeys(given);
