/** The parameter `platform`: as text ("linux/arm64"), or as the API's JSON object. */

import { OrlopError } from "../base/errors.ts";
import { type Platform, parsePlatform } from "../spec/platform.ts";
import { type ChangeName, has } from "./versions.ts";

/** @throws {OrlopError} bad_value */
export function platformOf(given: string): Platform {
  if (!given.startsWith("{")) return parsePlatform(given);
  try {
    const { os, architecture, variant } = JSON.parse(given) as Partial<Record<keyof Platform, string>>;
    return parsePlatform([os, architecture, variant].filter(Boolean).join("/"));
  } catch (error) {
    if (error instanceof OrlopError) throw error;
    throw OrlopError.of("bad_value", {
      what: "parameter platform",
      value: given.slice(0, 100),
      expected: "a platform",
    });
  }
}

/** undefined if there is none, or if the client's API version does not have it for this operation. @throws {OrlopError} bad_value */
export function platformSince(change: ChangeName, apiMinor: number, given: string | undefined): Platform | undefined {
  return given === undefined || !has(apiMinor, change) ? undefined : platformOf(given);
}
