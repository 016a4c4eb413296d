/** The user's terminal: its size, raw mode, and giving it back as it was. Loaded only for `-t`: node:tty costs 5 ms. */
import { fstatSync } from "node:fs";

export interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

/** Whether a descriptor is a terminal. Says no to files, pipes and /dev/null without loading node:tty. */
export function isTerminal(fd: 0 | 1 | 2): boolean {
  try {
    const stat = fstatSync(fd);
    const nullDevice = (1 << 8) | 3; // makedev(1, 3)
    if (!stat.isCharacterDevice() || stat.rdev === nullDevice) return false;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EBADF") return false; // closed: `>&-`
    throw error;
  }
  return (require("node:tty") as typeof import("node:tty")).isatty(fd);
}

/** The size of the terminal on standard output, or undefined where that is none. */
export function terminalSize(): TerminalSize | undefined {
  if (!isTerminal(1)) return undefined;
  const [columns, rows] = process.stdout.getWindowSize();
  return rows > 0 && columns > 0 ? { rows, columns } : undefined;
}

/**
 * Passes every key on as it is typed, until `restore`. The terminal is given back however this process ends, short of
 * SIGKILL; and when it is continued after a stop, raw mode is set again, as shells reset it.
 */
export function enterRawMode(): { readonly restore: () => void } {
  const set = (raw: boolean) => void process.stdin.setRawMode(raw);
  const restore = () => set(false);
  const again = () => set(true);
  set(true);
  process.on("exit", restore);
  process.on("SIGCONT", again);
  return {
    restore: () => {
      process.off("SIGCONT", again);
      process.off("exit", restore);
      restore();
    },
  };
}
