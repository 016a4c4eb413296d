/** Conditions on a call's arguments, from a profile's SCMP_CMP_* names. */

import { OrlopError } from "../../base/errors.ts";
import type { SeccompArgument } from "./profile.ts";

/** How an argument is compared with the value, both unsigned. `masked`: the bits of `mask` equal `value`. */
export type Comparison = "ne" | "lt" | "le" | "eq" | "ge" | "gt" | "masked";

export interface Condition {
  /** 0 to 5. */
  readonly index: number;
  readonly comparison: Comparison;
  readonly value: bigint;
  readonly mask: bigint;
}

const comparisons: ReadonlyMap<string, Comparison> = new Map([
  ["SCMP_CMP_NE", "ne"],
  ["SCMP_CMP_LT", "lt"],
  ["SCMP_CMP_LE", "le"],
  ["SCMP_CMP_EQ", "eq"],
  ["SCMP_CMP_GE", "ge"],
  ["SCMP_CMP_GT", "gt"],
  ["SCMP_CMP_MASKED_EQ", "masked"],
]);

const ALL_BITS = 0xffff_ffff_ffff_ffffn;

/** @throws {OrlopError} bad_value */
export function parseCondition(argument: SeccompArgument): Condition {
  const comparison = comparisons.get(argument.op);
  if (comparison === undefined)
    throw OrlopError.of("bad_value", {
      what: "seccomp op",
      value: argument.op,
      expected: `one of ${[...comparisons.keys()].join(", ")}`,
    });
  const value = BigInt(argument.value);
  if (comparison !== "masked") return { index: argument.index, comparison, value, mask: ALL_BITS };
  // libseccomp ignores bits of the second value that the mask leaves out, and so do profiles that were tested with it.
  return { index: argument.index, comparison, value: BigInt(argument.valueTwo ?? 0) & value, mask: value };
}
