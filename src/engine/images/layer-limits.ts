/** Limits for a layer, against decompression bombs. */

import { OrlopError } from "../../base/errors.ts";
import { parseSize } from "../../base/size.ts";
import { defaultLayerLimits, type LayerLimits } from "../../images/plan-layer.ts";

const bytesVariable = "ORLOP_LAYER_MAX_BYTES";
const entriesVariable = "ORLOP_LAYER_MAX_ENTRIES";

/** Read from the engine's environment. @throws {OrlopError} bad_value */
export function layerLimitsOf(environment: Readonly<Record<string, string | undefined>>): LayerLimits {
  const bytes = environment[bytesVariable] || undefined;
  const entries = environment[entriesVariable] || undefined;
  if (entries !== undefined && !/^[1-9]\d{0,8}$/.test(entries))
    throw OrlopError.of("bad_value", { what: entriesVariable, value: entries, expected: "a number, e.g. 2000000" });
  return {
    bytesMax: bytes === undefined ? defaultLayerLimits.bytesMax : parseSize(bytes, bytesVariable),
    entriesMax: entries === undefined ? defaultLayerLimits.entriesMax : Number(entries),
  };
}
