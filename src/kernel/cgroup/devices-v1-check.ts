/**
 * Whether cgroup v1 can carry out device rules. It keeps either "all but" or "nothing but" a list of exceptions, and a write
 * that takes something away finds only an exception with exactly the same numbers (security/device_cgroup.c): after
 * "allow c 1:*", "deny c 1:5" does nothing at all. Rather than run with more than was asked for, such rules are refused.
 */

import { OrlopError } from "../../base/errors.ts";
import {
  ACCESS_ALL,
  ACCESS_MKNOD,
  ACCESS_READ,
  ACCESS_WRITE,
  accessBits,
  type DeviceRule,
  everyNumber,
} from "../device-rules.ts";

interface Device {
  readonly type: "b" | "c";
  readonly major: number;
  readonly minor: number;
}

/** A number that no rule has: what holds for it holds for all others. */
const OTHER = -2;

/** Sets of rules that passed: the default ones are the same object for every container. */
const passed = new WeakSet<readonly DeviceRule[]>();

/** @throws {OrlopError} limit_unsupported, naming a rule that v1 would not follow; bad_value for a wrong access */
export function checkDeviceRulesV1(rules: readonly DeviceRule[]): void {
  if (passed.has(rules)) return;
  const group = new GroupV1();
  for (const rule of rules) group.write(rule);
  for (const rule of rules)
    for (const device of devicesOf(rule, rules))
      for (const access of [ACCESS_MKNOD, ACCESS_READ, ACCESS_WRITE]) {
        const last = rules.findLast((one) => covers(one, device) && (accessBits(one.access) & access) !== 0);
        if (group.allows(device, access) === (last?.allow ?? false)) continue;
        const limit = `device rule ${describe(last ?? rule)} beside the others`;
        throw OrlopError.of("limit_unsupported", { limit, needs: "cgroup v2" });
      }
  passed.add(rules);
}

/** One device for each way in which rules can tell devices apart, among those that `rule` is about. */
function devicesOf(rule: DeviceRule, rules: readonly DeviceRule[]): Device[] {
  const numbers = (of: (rule: DeviceRule) => number | undefined): number[] => {
    const own = of(rule);
    if (own !== undefined && !everyNumber(own)) return [own];
    return [...new Set([...rules.map(of).filter((value) => value !== undefined && value >= 0), OTHER])] as number[];
  };
  const types = rule.type === "b" || rule.type === "c" ? [rule.type] : (["b", "c"] as const);
  const minors = numbers(({ minor }) => minor);
  return types.flatMap((type) =>
    numbers(({ major }) => major).flatMap((major) => minors.map((minor) => ({ type, major, minor }))),
  );
}

function covers(rule: DeviceRule, { type, major, minor }: Device): boolean {
  return (
    (rule.type === undefined || rule.type === "a" || rule.type === type) &&
    (everyNumber(rule.major) || rule.major === major) &&
    (everyNumber(rule.minor) || rule.minor === minor)
  );
}

/** A group as the kernel keeps it, from "nothing" on. */
class GroupV1 {
  #allByDefault = false;
  /** Patterns, "b 8:*" → access. */
  readonly #exceptions = new Map<string, { readonly pattern: DeviceRule; access: number }>();

  write(rule: DeviceRule): void {
    const access = accessBits(rule.access);
    const types = rule.type === "b" || rule.type === "c" ? [rule.type] : (["b", "c"] as const);
    if (types.length === 2 && everyNumber(rule.major) && everyNumber(rule.minor) && access === ACCESS_ALL) {
      this.#allByDefault = rule.allow;
      this.#exceptions.clear();
      return;
    }
    for (const type of types) {
      const pattern: DeviceRule = { ...rule, type };
      const key = describe({ ...pattern, access: "" });
      const known = this.#exceptions.get(key)?.access ?? 0;
      const isException = rule.allow !== this.#allByDefault;
      const left = isException ? known | access : known & ~access;
      if (left === 0) this.#exceptions.delete(key);
      else this.#exceptions.set(key, { pattern, access: left });
    }
  }

  /** `access`: one bit. */
  allows(device: Device, access: number): boolean {
    const excepted = [...this.#exceptions.values()].some(
      (exception) => covers(exception.pattern, device) && (exception.access & access) !== 0,
    );
    return excepted !== this.#allByDefault;
  }
}

function describe({ type = "a", major, minor, access = "rwm" }: DeviceRule): string {
  const number = (value: number | undefined): string => (everyNumber(value) ? "*" : String(value));
  return `${type} ${number(major)}:${number(minor)} ${access}`.trim();
}
