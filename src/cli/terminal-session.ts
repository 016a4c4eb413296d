/** The user's terminal while a container has it: raw, and of the same size. */
import { OrlopError } from "../base/errors.ts";
import type { Caller, Terminal } from "./caller.ts";

export interface OpenedTerminal {
  /** The container runs: gives its terminal our size, now and whenever the window changes. */
  readonly follow: () => void;
  readonly close: () => void;
}

/** Input that is not a terminal cannot be a terminal's; gives the size to begin with, where it is known. */
export async function checkTerminal(
  caller: Caller,
  stdin: boolean,
): Promise<readonly [rows: number, columns: number] | undefined> {
  const terminal = await caller.terminal();
  if (stdin && !terminal.isTerminal(0)) throw OrlopError.of("not_a_terminal", {});
  const size = terminal.size();
  return size === undefined ? undefined : [size.rows, size.columns];
}

/** Where input is attached, the terminal is raw from now on, before the container starts: else it would echo the first keys. */
export function openTerminal(
  terminal: Terminal,
  stdin: boolean,
  giveSize: (rows: number, columns: number) => Promise<void>,
): OpenedTerminal {
  const resize = async () => {
    const size = terminal.size();
    if (size === undefined) return;
    try {
      await giveSize(size.rows, size.columns);
    } catch {
      // It has exited meanwhile, or the engine is being replaced, or the caller is gone: the size is not worth a message over
      // the container's own output.
    }
  };
  const resized = () => void resize();
  const raw = stdin ? terminal.enterRawMode() : undefined;
  let stop: (() => void) | undefined;
  return {
    follow: () => {
      resized();
      stop = terminal.onResize(resized);
    },
    close: () => {
      stop?.();
      raw?.restore();
    },
  };
}
