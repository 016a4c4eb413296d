/**
 * Builds a classic BPF program from its end towards its start, so that every jump's target is known when it is written.
 */

/** linux/bpf_common.h. */
const LD_W_ABS = 0x20;
const ALU_AND_K = 0x54;
const JMP_JA = 0x05;
const RET_K = 0x06;
export const JEQ = 0x15;
export const JGT = 0x25;
export const JGE = 0x35;

/** A conditional jump skips at most this many instructions. */
const JUMP_MAX = 255;
/** A return this far away is repeated rather than reached. */
const SHARE_MAX = 200;

/** Where control goes: an instruction, counted from the program's end. */
export type Target = number & { readonly brand: "Target" };

interface Instruction {
  readonly code: number;
  readonly jumpTrue: number;
  readonly jumpFalse: number;
  readonly k: number;
}

export class ProgramBuilder {
  /** Last instruction first. */
  readonly #reversed: Instruction[] = [];
  /** The latest return of each value. */
  readonly #returns = new Map<number, Target>();

  get length(): number {
    return this.#reversed.length;
  }

  /** Returns `value` to the kernel. */
  ret(value: number): Target {
    const known = this.#returns.get(value);
    return known !== undefined && this.#skipTo(known) <= SHARE_MAX ? known : this.#return(value);
  }

  /** Loads the word at `offset` of `struct seccomp_data`, then goes on. */
  load(offset: number, then: Target): Target {
    return this.#straight(LD_W_ABS, offset, then);
  }

  /** Keeps the accumulator's bits of `mask`, then goes on. */
  and(mask: number, then: Target): Target {
    return this.#straight(ALU_AND_K, mask, then);
  }

  /** Compares the accumulator with `k`, unsigned. */
  jump(code: typeof JEQ | typeof JGT | typeof JGE, k: number, yes: Target, no: Target): Target {
    if (yes === no) return yes;
    let [nearYes, nearNo] = [yes, no];
    while (this.#skipTo(nearYes) > JUMP_MAX || this.#skipTo(nearNo) > JUMP_MAX) {
      if (this.#skipTo(nearYes) > this.#skipTo(nearNo)) nearYes = this.#bringNear(nearYes);
      else nearNo = this.#bringNear(nearNo);
    }
    return this.#push(code, k, this.#skipTo(nearYes), this.#skipTo(nearNo));
  }

  /** An array of `struct sock_filter` that begins with `start`, which must be what was built last. */
  finish(start: Target): Uint8Array {
    if (this.#skipTo(start) !== 0) this.#bringNear(start);
    const bytes = new Uint8Array(this.length * 8);
    const view = new DataView(bytes.buffer);
    for (let at = 0; at < this.length; at++) {
      const instruction = this.#reversed[this.length - 1 - at] as Instruction;
      view.setUint16(at * 8, instruction.code, true);
      view.setUint8(at * 8 + 2, instruction.jumpTrue);
      view.setUint8(at * 8 + 3, instruction.jumpFalse);
      view.setUint32(at * 8 + 4, instruction.k, true);
    }
    return bytes;
  }

  /** How many instructions lie between the next one to be built and the target. */
  #skipTo(target: Target): number {
    return this.length - 1 - target;
  }

  #straight(code: number, k: number, then: Target): Target {
    if (this.#skipTo(then) !== 0) this.#bringNear(then);
    return this.#push(code, k, 0, 0);
  }

  /** What does the same as the target, as the latest instruction. */
  #bringNear(target: Target): Target {
    const there = this.#reversed[target] as Instruction;
    return there.code === RET_K ? this.#return(there.k) : this.#push(JMP_JA, this.#skipTo(target), 0, 0);
  }

  #return(value: number): Target {
    const target = this.#push(RET_K, value, 0, 0);
    this.#returns.set(value, target);
    return target;
  }

  #push(code: number, k: number, jumpTrue: number, jumpFalse: number): Target {
    return (this.#reversed.push({ code, jumpTrue, jumpFalse, k }) - 1) as Target;
  }
}
