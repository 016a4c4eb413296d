/** Facts about one process from /proc. @see proc_pid_stat(5), proc_pid_status(5) */

/** USER_HZ of every architecture that Orlop runs on. */
export const CLOCK_TICKS = 100;

export interface ProcessFacts {
  readonly pid: number;
  readonly ppid: number;
  readonly pgid: number;
  readonly sid: number;
  /** One letter, e.g. "S". */
  readonly state: string;
  readonly comm: string;
  /** Arguments joined by spaces; "" for a kernel thread or a zombie. */
  readonly commandLine: string;
  readonly uid: number;
  readonly gid: number;
  /** Device number of its terminal; 0: none. */
  readonly tty: number;
  /** The terminal's foreground process group; -1: none. */
  readonly foreground: number;
  readonly cpuTicks: number;
  /** Ticks since boot. */
  readonly startTicks: number;
  readonly virtualKib: number;
  readonly residentKib: number;
  readonly nice: number;
  readonly priority: number;
  readonly threads: number;
  /** Some of its pages are locked in memory. */
  readonly isLocked: boolean;
}

/** Parses three files of /proc/PID; undefined when they are incomplete (the process has ended meanwhile). */
export function parseProcessFacts(stat: string, status: string, cmdline: string): ProcessFacts | undefined {
  const open = stat.indexOf("(");
  const close = stat.lastIndexOf(")"); // the name may hold anything
  const fields = stat.slice(close + 2).split(" ");
  if (open < 0 || close < 0 || fields.length < 22) return undefined;
  const number = (field: number): number => Number(fields[field - 3]);
  const sizeKib = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? 0);
  const effective = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+\\d+\\s+(\\d+)`, "m").exec(status)?.[1] ?? 0);
  return {
    pid: Number(stat.slice(0, open)),
    state: fields[0] ?? "?",
    comm: stat.slice(open + 1, close),
    commandLine: cmdline.replace(/\0+$/, "").replaceAll("\0", " "),
    ppid: number(4),
    pgid: number(5),
    sid: number(6),
    tty: number(7),
    foreground: number(8),
    cpuTicks: number(14) + number(15),
    priority: number(18),
    nice: number(19),
    threads: number(20),
    startTicks: number(22),
    virtualKib: Math.floor(number(23) / 1024),
    residentKib: sizeKib("VmRSS"), // stat has it too, but not exactly
    uid: effective("Uid"),
    gid: effective("Gid"),
    isLocked: sizeKib("VmLck") > 0,
  };
}

/** include/linux/sched.h: the process is in do_exit. */
const PF_EXITING = 0x4;
/** Bit of SIGKILL in a set of signals. */
const SIGKILL_BIT = 1n << 8n;

/**
 * Whether a process will never run again, though it may exist for a while: SIGKILL is pending (a process that waits for a disk
 * handles it later), it is exiting, or it has ended.
 *
 * @param stat the text of /proc/PID/stat. @param status that of /proc/PID/status. "": the process is gone
 */
export function isEnding(stat: string, status: string): boolean {
  const [state = "", ...fields] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const flags = Number(fields[9 - 4]); // the state is the third
  const pending = [...status.matchAll(/^(?:SigPnd|ShdPnd):\s+([0-9a-f]+)$/gm)].map(([, bits]) => BigInt(`0x${bits}`));
  return !/^[^ZX]/.test(state) || (flags & PF_EXITING) !== 0 || pending.some((bits) => (bits & SIGKILL_BIT) !== 0n);
}
