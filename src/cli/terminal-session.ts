/** The user's terminal while a container has it: raw, and of the same size. Loaded only for a container with a terminal. */
import { OrlopError } from "../base/errors.ts";
import { EngineError } from "../client/engine-error.ts";
import { enterRawMode, terminalSize } from "./terminal.ts";

export interface OpenedTerminal {
  /** The container runs: gives its terminal our size, now and whenever the window changes. */
  readonly follow: () => void;
  readonly close: () => void;
}

/** Where input is attached, the terminal is raw from now on, before the container starts: else it would echo the first keys. */
export function openTerminal(
  stdin: boolean,
  giveSize: (rows: number, columns: number) => Promise<void>,
): OpenedTerminal {
  const resize = async () => {
    const size = terminalSize();
    if (size === undefined) return;
    try {
      await giveSize(size.rows, size.columns);
    } catch (error) {
      // It has exited meanwhile, or the engine is being replaced: the size is not worth a message over the container's own output.
      if (!(error instanceof EngineError || error instanceof OrlopError)) throw error;
    }
  };
  const resized = () => void resize();
  const raw = stdin ? enterRawMode() : undefined;
  return {
    follow: () => {
      resized();
      process.on("SIGWINCH", resized);
    },
    close: () => {
      process.off("SIGWINCH", resized);
      raw?.restore();
    },
  };
}
