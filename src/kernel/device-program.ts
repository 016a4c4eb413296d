/**
 * Device rules as a BPF_PROG_TYPE_CGROUP_DEVICE program, which cgroup v2 has instead of v1's device files (Linux 4.15).
 *
 * The kernel calls it with `struct bpf_cgroup_dev_ctx { u32 access_type; u32 major; u32 minor; }` (access in the high half
 * of the first, type in the low half) and denies access when it returns 0. For each requested kind of access the last rule that
 * matches the device and that access decides; without such a rule it is denied.
 */

import { ACCESS_ALL, accessBits, type DeviceRule, everyNumber } from "./device-rules.ts";

/** linux/bpf.h: code, registers (dst | src << 4), 16-bit offset in instructions, 32-bit immediate. */
const LDX_W = 0x61;
const MOV_K = 0xb7;
const MOV_X = 0xbf;
const AND_K = 0x57;
const RSH_K = 0x77;
const JA = 0x05;
const JNE_K = 0x55;
const JSET_K = 0x45;
const EXIT = 0x95;

/** Registers: the result, the context, and its fields. */
const RESULT = 0;
const CONTEXT = 1;
/** Bits of access that are requested and not decided yet. */
const PENDING = 2;
const TYPE = 3;
const MAJOR = 4;
const MINOR = 5;

const DEVICE_BLOCK = 1;
const DEVICE_CHARACTER = 2;

interface Instruction {
  readonly code: number;
  readonly to: number;
  readonly from?: number;
  /** In instructions, from the next one. */
  readonly skip?: number;
  readonly value?: number;
}

/**
 * The program, 8 bytes per instruction.
 *
 * @throws {OrlopError} bad_value
 */
export function deviceProgram(rules: readonly DeviceRule[]): Uint8Array {
  const program: Instruction[] = [
    { code: LDX_W, to: PENDING, from: CONTEXT, skip: 0 },
    { code: MOV_X, to: TYPE, from: PENDING },
    { code: RSH_K, to: PENDING, value: 16 },
    { code: AND_K, to: TYPE, value: 0xffff },
    { code: LDX_W, to: MAJOR, from: CONTEXT, skip: 4 },
    { code: LDX_W, to: MINOR, from: CONTEXT, skip: 8 },
  ];
  for (const rule of [...rules].reverse()) {
    program.push(...ruleInstructions(rule));
    if (isWhole(rule)) return encode(program); // earlier rules cannot matter
  }
  return encode([...program, ...answer(0)]);
}

/** Whether the rule matches every device and every access. */
function isWhole(rule: DeviceRule): boolean {
  const anyType = rule.type === undefined || rule.type === "a";
  return anyType && everyNumber(rule.major) && everyNumber(rule.minor) && accessBits(rule.access) === ACCESS_ALL;
}

function answer(value: 0 | 1): Instruction[] {
  return [
    { code: MOV_K, to: RESULT, value },
    { code: EXIT, to: 0 },
  ];
}

/** Tests that skip the rule for other devices, then the rule's verdict. */
function ruleInstructions(rule: DeviceRule): Instruction[] {
  const verdict = isWhole(rule) ? answer(rule.allow ? 1 : 0) : verdictOn(accessBits(rule.access), rule.allow);
  const tests: Instruction[] = [];
  if (rule.type === "b" || rule.type === "c")
    tests.push({ code: JNE_K, to: TYPE, value: rule.type === "b" ? DEVICE_BLOCK : DEVICE_CHARACTER });
  if (!everyNumber(rule.major)) tests.push({ code: JNE_K, to: MAJOR, value: rule.major ?? 0 });
  if (!everyNumber(rule.minor)) tests.push({ code: JNE_K, to: MINOR, value: rule.minor ?? 0 });
  return [...tests.map((test, at) => ({ ...test, skip: tests.length - 1 - at + verdict.length })), ...verdict];
}

/** Deny: a single denied bit denies the request. Allow: these bits are decided; when none is left, the request is allowed. */
function verdictOn(access: number, allow: boolean): Instruction[] {
  if (allow)
    return [
      { code: AND_K, to: PENDING, value: ~access & ACCESS_ALL },
      { code: JNE_K, to: PENDING, value: 0, skip: 2 },
      ...answer(1),
    ];
  return [{ code: JSET_K, to: PENDING, value: access, skip: 1 }, { code: JA, to: 0, skip: 2 }, ...answer(0)];
}

function encode(program: readonly Instruction[]): Uint8Array {
  const bytes = new Uint8Array(program.length * 8);
  const view = new DataView(bytes.buffer);
  program.forEach(({ code, to, from = 0, skip = 0, value = 0 }, at) => {
    view.setUint8(at * 8, code);
    view.setUint8(at * 8 + 1, to | (from << 4));
    view.setInt16(at * 8 + 2, skip, true);
    view.setInt32(at * 8 + 4, value, true);
  });
  return bytes;
}
