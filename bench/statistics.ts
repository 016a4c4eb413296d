/** Figures of a series of times. */

export interface Figures {
  readonly median: number;
  readonly p90: number;
  readonly p99: number;
  readonly min: number;
}

/** Nearest rank, so that every figure is a time that was measured. */
export function figuresOf(times: readonly number[]): Figures {
  const sorted = [...times].sort((a, b) => a - b);
  const rank = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
  return { median: rank(0.5), p90: rank(0.9), p99: rank(0.99), min: rank(0) };
}
