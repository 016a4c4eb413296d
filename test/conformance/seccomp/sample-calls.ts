/** System calls to try on a filter: every number that means something and its neighbours, with arguments at the edges. */

import { type Architecture, syscallNumbers } from "../../../src/kernel/seccomp/architecture.ts";
import type { SeccompProfile } from "../../../src/kernel/seccomp/profile.ts";
import type { SyscallData } from "./bpf-interpreter.ts";

const UINT64 = 0xffff_ffff_ffff_ffffn;

/** Every number with a name, the gaps around it, and what lies far above; `base` included. */
export function numbersOf(architecture: Architecture): number[] {
  const { base } = architecture;
  const numbers = new Set(
    [0, 500, 511, 512, 548, 600, 0xeffff, 0xf0000, 0xf0006, 0x100000, 0x3fff_ffff].map((n) => base + n),
  );
  for (const number of syscallNumbers(architecture).values())
    for (const near of [number - 1, number, number + 1]) if (near >= base) numbers.add(near);
  return [...numbers].sort((a, b) => a - b);
}

/** The values that a profile compares arguments with, the values next to them, and those with other high words. */
export function edgesOf(profile: SeccompProfile): bigint[] {
  const edges = new Set([0n, 1n, UINT64]);
  for (const { args = [] } of profile.syscalls ?? []) {
    for (const value of args.flatMap(({ value, valueTwo = 0 }) => [BigInt(value), BigInt(valueTwo)]))
      for (const near of [value - 1n, value, value + 1n, value ^ (1n << 32n), value & 0xffff_ffffn, ~value & UINT64])
        if (near >= 0n && near <= UINT64) edges.add(near);
  }
  return [...edges];
}

/** A reproducible stream of whole numbers below `limit` (xorshift32). */
export function seeded(seed: number): (limit: number) => number {
  let state = (seed * 2654435761 + 1) >>> 0 || 1;
  return (limit) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % limit;
  };
}

/** Every number, `perNumber` times, with arguments drawn from `edges`. The kernel zero-extends those of 32-bit programs. */
export function* sampleCalls(
  architecture: Architecture,
  edges: readonly bigint[],
  perNumber: number,
  random: (limit: number) => number,
): Generator<SyscallData> {
  const word = architecture.name === "x86" || architecture.name === "arm" ? 0xffff_ffffn : UINT64;
  for (const number of numbersOf(architecture)) {
    for (let round = 0; round < perNumber; round++) {
      const args = Array.from({ length: 6 }, () => (edges[random(edges.length)] ?? 0n) & word);
      yield { number, auditArch: architecture.auditArch, args };
    }
  }
}
