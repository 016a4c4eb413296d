/** Decodes a wait status (waitpid(2)), and the monitor's exit record that holds one. */

export interface ExitStatus {
  /** As in a shell: 128 + the signal for a program that was ended by one. */
  readonly exitCode: number;
  /** 0: it ended by itself. */
  readonly signal: number;
}

export function exitStatusOf(waitStatus: number): ExitStatus {
  const signal = waitStatus & 0x7f;
  return signal === 0 ? { exitCode: (waitStatus >> 8) & 0xff, signal: 0 } : { exitCode: 128 + signal, signal };
}

/** @param text `status=<wait status> ended=<Unix time, ns>\n`. @returns undefined for an incomplete record */
export function parseExitRecord(text: string): { readonly status: number; readonly endedNs: bigint } | undefined {
  const match = /^status=(\d+) ended=(\d+)\n$/.exec(text);
  if (match === null) return undefined;
  return { status: Number(match[1]), endedNs: BigInt(match[2] ?? "0") };
}
