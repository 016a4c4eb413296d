/** Runs the part of eBPF that device programs use, refusing what the kernel's verifier would refuse (linux/bpf.h). */

/** struct bpf_cgroup_dev_ctx. */
export interface DeviceContext {
  readonly type: "b" | "c";
  readonly major: number;
  readonly minor: number;
  /** BPF_DEVCG_ACC_*. */
  readonly access: number;
}

const UINT64 = 0xffff_ffff_ffff_ffffn;

/** What the program returns: 1 lets the access pass, 0 refuses it. */
export function runDeviceProgram(program: Uint8Array, context: DeviceContext): number {
  if (program.length % 8 !== 0 || program.length === 0) throw new Error(`a program of ${program.length} bytes`);
  const view = new DataView(program.buffer, program.byteOffset, program.byteLength);
  const registers: (bigint | undefined)[] = [undefined, 0n];
  const read = (register: number): bigint => {
    const value = registers[register];
    if (value === undefined) throw new Error(`register ${register} is read before it is written`);
    return value;
  };
  const words = [(context.access << 16) | (context.type === "b" ? 1 : 2), context.major, context.minor];
  for (let at = 0; ; at++) {
    if (at < 0 || at * 8 >= program.length) throw new Error(`the program runs off its end at ${at}`);
    const code = view.getUint8(at * 8);
    const to = view.getUint8(at * 8 + 1) & 15;
    const from = view.getUint8(at * 8 + 1) >> 4;
    const offset = view.getInt16(at * 8 + 2, true);
    const value = BigInt(view.getInt32(at * 8 + 4, true)); // immediates are sign-extended
    if (offset < 0) throw new Error(`instruction ${at} jumps back`);
    switch (code) {
      case 0x61: // ldxw
        if (from !== 1 || ![0, 4, 8].includes(offset))
          throw new Error(`instruction ${at} reads outside of the context`);
        registers[to] = BigInt((words[offset / 4] ?? 0) >>> 0);
        break;
      case 0xb7: // mov imm
        registers[to] = value & UINT64;
        break;
      case 0xbf: // mov reg
        registers[to] = read(from);
        break;
      case 0x57: // and imm
        registers[to] = read(to) & value & UINT64;
        break;
      case 0x77: // rsh imm
        registers[to] = read(to) >> value;
        break;
      case 0x05: // ja
        at += offset;
        break;
      case 0x55: // jne imm
        if (read(to) !== (value & UINT64)) at += offset;
        break;
      case 0x45: // jset imm
        if ((read(to) & value) !== 0n) at += offset;
        break;
      case 0x95: // exit
        return Number(read(0));
      default:
        throw new Error(`instruction ${at} has the unknown code 0x${code.toString(16)}`);
    }
  }
}
