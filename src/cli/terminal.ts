/**
 * The user's terminal: its size, raw mode, and giving it back as it was. Loaded only for a container with a terminal.
 *
 * By FFI, as Node's setRawMode leaves output processing on: the terminal would make CR LF of every LF, and full-screen
 * programs, for which LF is "one line down", would draw in the wrong column.
 */
import { dlopen, ptr } from "bun:ffi";
import type { Terminal, TerminalSize } from "./caller.ts";

const { symbols: libc } = dlopen("libc.so.6", {
  isatty: { args: ["i32"], returns: "i32" },
  ioctl: { args: ["i32", "u64", "ptr"], returns: "i32" },
  tcgetattr: { args: ["i32", "ptr"], returns: "i32" },
  tcsetattr: { args: ["i32", "i32", "ptr"], returns: "i32" },
  cfmakeraw: { args: ["ptr"], returns: "void" },
});

/** `struct termios` has 60 bytes with glibc; room for others. */
const termiosBytes = 128;
/** ioctl_tty(2): `struct winsize { unsigned short ws_row, ws_col, ws_xpixel, ws_ypixel; }`. */
const TIOCGWINSZ = 0x5413;
/** tcsetattr(3): after what was written has been sent, as that was meant for the old settings. */
const TCSADRAIN = 1;

function isTerminal(fd: 0 | 1 | 2): boolean {
  return libc.isatty(fd) === 1;
}

/** The size of the terminal on standard output; undefined where that is none, or knows no size. */
function terminalSize(): TerminalSize | undefined {
  const size = new Uint16Array(4);
  if (libc.ioctl(1, TIOCGWINSZ, ptr(size)) !== 0) return undefined;
  const [rows = 0, columns = 0] = size;
  return rows > 0 && columns > 0 ? { rows, columns } : undefined;
}

/**
 * Passes every key on as it is typed, and every byte of output as it is, until `restore`. The terminal is given back however
 * this process ends, short of SIGKILL; and when it is continued after a stop, raw mode is set again, as shells reset it.
 */
function enterRawMode(): { readonly restore: () => void } {
  const before = new Uint8Array(termiosBytes);
  if (libc.tcgetattr(0, ptr(before)) !== 0) return { restore: () => undefined }; // not a terminal: nothing to set
  const raw = before.slice();
  libc.cfmakeraw(ptr(raw));
  const set = (attributes: Uint8Array) => void libc.tcsetattr(0, TCSADRAIN, ptr(attributes));
  const restore = () => set(before);
  const again = () => set(raw);
  set(raw);
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

export const ownTerminal: Terminal = {
  isTerminal,
  size: terminalSize,
  enterRawMode,
  onResize(changed) {
    process.on("SIGWINCH", changed);
    return () => void process.off("SIGWINCH", changed);
  },
};

/** `struct termios`: the local modes come after input, output and control modes, 32 bits each. */
const localModes = 3;
const ECHO = 0o10;

/** What is typed is not shown, until `restore`. Where standard input is no terminal nothing happens. */
export function hideInput(): { readonly restore: () => void } {
  const before = new Uint8Array(termiosBytes);
  if (libc.tcgetattr(0, ptr(before)) !== 0) return { restore: () => undefined };
  const silent = before.slice();
  const modes = new Uint32Array(silent.buffer);
  modes[localModes] = (modes[localModes] ?? 0) & ~ECHO;
  const restore = (): void => void libc.tcsetattr(0, TCSADRAIN, ptr(before));
  libc.tcsetattr(0, TCSADRAIN, ptr(silent));
  process.on("exit", restore);
  return {
    restore: () => {
      process.off("exit", restore);
      restore();
    },
  };
}
