/** What a wait status means. @see waitpid(2) */

export interface ExitStatus {
  /** As a shell tells it: 128 + the signal for a program that one ended. */
  readonly exitCode: number;
  /** 0: it ended by itself. */
  readonly signal: number;
}

export function exitStatusOf(waitStatus: number): ExitStatus {
  const signal = waitStatus & 0x7f;
  return signal === 0 ? { exitCode: (waitStatus >> 8) & 0xff, signal: 0 } : { exitCode: 128 + signal, signal };
}

/** The monitor's record: `status=<wait status> ended=<Unix time, ns>\n`; undefined for half of one. */
export function parseExitRecord(text: string): { readonly status: number; readonly endedNs: bigint } | undefined {
  const match = /^status=(\d+) ended=(\d+)\n$/.exec(text);
  if (match === null) return undefined;
  return { status: Number(match[1]), endedNs: BigInt(match[2] ?? "0") };
}
