/** Runs a classic BPF program over one `struct seccomp_data`, as the kernel would (linux/filter.h, linux/seccomp.h). */

/** What the kernel hands to a filter at a system call. */
export interface SyscallData {
  /** As an unsigned 32-bit number. */
  readonly number: number;
  /** AUDIT_ARCH_*. */
  readonly auditArch: number;
  /** Up to six, each below 2^64; missing ones are 0. */
  readonly args: readonly bigint[];
}

/** A program, ready to be run many times. */
export interface Program {
  readonly code: Uint16Array;
  readonly jumpTrue: Uint8Array;
  readonly jumpFalse: Uint8Array;
  readonly k: Uint32Array;
}

export interface Outcome {
  /** SECCOMP_RET_*. */
  readonly action: number;
  /** How many were executed. */
  readonly instructions: number;
  /** Whether it looked at the call's number. */
  readonly sawNumber: boolean;
}

/** Reads an array of `struct sock_filter` and checks what the kernel's verifier checks: bounds, and that it ends. */
export function loadProgram(bytes: Uint8Array): Program {
  const count = bytes.length / 8;
  if (!Number.isInteger(count) || count < 1 || count > 4096) throw new Error(`a program of ${bytes.length} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const program: Program = {
    code: new Uint16Array(count),
    jumpTrue: new Uint8Array(count),
    jumpFalse: new Uint8Array(count),
    k: new Uint32Array(count),
  };
  for (let at = 0; at < count; at++) {
    program.code[at] = view.getUint16(at * 8, true);
    program.jumpTrue[at] = bytes[at * 8 + 2] ?? 0;
    program.jumpFalse[at] = bytes[at * 8 + 3] ?? 0;
    program.k[at] = view.getUint32(at * 8 + 4, true);
    check(program, at, count);
  }
  if ((program.code[count - 1] ?? 0) !== 0x06) throw new Error("the last instruction is not a return");
  return program;
}

function check(program: Program, at: number, count: number): void {
  const code = program.code[at] ?? 0;
  const k = program.k[at] ?? 0;
  const furthest =
    code === 0x05 ? k : (code & 7) === 5 ? Math.max(program.jumpTrue[at] ?? 0, program.jumpFalse[at] ?? 0) : 0;
  if (code !== 0x06 && at + 1 + furthest >= count) throw new Error(`instruction ${at} leaves the program`);
  if (code === 0x20 && (k % 4 !== 0 || k >= 64)) throw new Error(`instruction ${at} loads from ${k}`);
}

export function runProgram(program: Program, data: SyscallData): Outcome {
  let accumulator = 0;
  let sawNumber = false;
  for (let at = 0, instructions = 1; ; at++, instructions++) {
    const k = program.k[at] ?? 0;
    const jump = (taken: boolean): number => (taken ? program.jumpTrue[at] : program.jumpFalse[at]) ?? 0;
    switch (program.code[at]) {
      case 0x20: // ld [k]
        accumulator = wordAt(data, k);
        sawNumber ||= k === 0;
        break;
      case 0x54: // and #k
        accumulator = (accumulator & k) >>> 0;
        break;
      case 0x05: // ja
        at += k;
        break;
      case 0x15: // jeq
        at += jump(accumulator === k);
        break;
      case 0x25: // jgt
        at += jump(accumulator > k);
        break;
      case 0x35: // jge
        at += jump(accumulator >= k);
        break;
      case 0x45: // jset
        at += jump((accumulator & k) !== 0);
        break;
      case 0x06: // ret #k
        return { action: k, instructions, sawNumber };
      default:
        throw new Error(`instruction ${at} has the unknown code 0x${program.code[at]?.toString(16)}`);
    }
  }
}

/** The 32-bit word at this offset of `struct seccomp_data`, little-endian. */
function wordAt(data: SyscallData, offset: number): number {
  if (offset === 0) return data.number;
  if (offset === 4) return data.auditArch;
  if (offset < 16) return 0; // instruction_pointer: no filter of ours or libseccomp's looks at it
  const arg = data.args[(offset - 16) >> 3] ?? 0n;
  return Number((offset & 4) === 0 ? arg & 0xffffffffn : arg >> 32n);
}
