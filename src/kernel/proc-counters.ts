/** CPU time of the machine and counters of a network namespace's interfaces, from proc(5). */

export interface MachineCpu {
  /** All CPUs together, idle time included. */
  readonly totalNs: number;
  readonly online: number;
}

const TICK_NS = 10_000_000;
/** user nice system idle iowait irq softirq: what Docker adds up. The next fields are stolen time, and guest time, which user includes. */
const ADDED_FIELDS = 7;

/** @param text of /proc/stat */
export function parseMachineCpu(text: string): MachineCpu {
  const fields = /^cpu +(.*)$/m.exec(text)?.[1]?.split(" ").slice(0, ADDED_FIELDS) ?? [];
  return {
    totalNs: fields.reduce((sum, field) => sum + Number(field), 0) * TICK_NS,
    online: [...text.matchAll(/^cpu\d+ /gm)].length,
  };
}

export interface InterfaceCounters {
  readonly rxBytes: number;
  readonly rxPackets: number;
  readonly rxErrors: number;
  readonly rxDropped: number;
  readonly txBytes: number;
  readonly txPackets: number;
  readonly txErrors: number;
  readonly txDropped: number;
}

/** By interface, without loopback. @param text of /proc/PID/net/dev */
export function parseInterfaces(text: string): Record<string, InterfaceCounters> {
  const found: [string, InterfaceCounters][] = [];
  for (const line of text.split("\n").slice(2)) {
    // A name may have a colon itself (an alias), the counters have none.
    const colon = line.lastIndexOf(":");
    const name = line.slice(0, colon).trim();
    if (colon < 0 || name === "lo") continue;
    const [rxBytes, rxPackets, rxErrors, rxDropped, , , , , txBytes, txPackets, txErrors, txDropped] = line
      .slice(colon + 1)
      .trim()
      .split(/\s+/)
      .map(Number) as number[] as [number, number, number, number, ...number[]];
    const counters = { rxBytes, rxPackets, rxErrors, rxDropped };
    found.push([
      name,
      {
        ...counters,
        txBytes: txBytes ?? 0,
        txPackets: txPackets ?? 0,
        txErrors: txErrors ?? 0,
        txDropped: txDropped ?? 0,
      },
    ]);
  }
  return Object.fromEntries(found);
}
