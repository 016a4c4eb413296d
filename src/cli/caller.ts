/**
 * The caller of a command: environment, streams, terminal and signals of the process that the user has started. A command uses these only,
 * because it runs either in that process (own-process.ts) or, for the launcher, inside the engine (launcher-caller.ts), beside the commands
 * of other callers.
 */
import type { ReadFile } from "./key-values.ts";
import type { Output } from "./output.ts";

export interface Caller {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly stdout: Output;
  readonly stderr: Output;
  /** Standard input, read from now on; piece by piece, at the reader's pace. */
  readonly stdin: () => AsyncIterable<Uint8Array>;
  readonly terminal: () => Promise<Terminal>;
  /** Passes these signals to `caught` instead of their default action. @returns a function that ends this */
  readonly catchSignals: (signals: readonly NodeJS.Signals[], caught: (signal: string) => void) => () => void;
  /** Reads a file that a flag names, as the caller's user. */
  readonly readFile: ReadFile;
  /** Called before anything that only the caller's own process may do: reading files, running credential helpers, asking questions. */
  readonly needOwnProcess: () => void;
  /** From here on the command acts; with this exit code where it is broken off. */
  readonly begin: (failure: number) => void;
  /** What `orlop resume` needs to go on with this, should the process that runs the command be lost. */
  readonly keepResumable: (state: Resumable) => void;
  /** Where the caller's is another process: has it make this request for a stream itself, over a connection of its own, and pass
   *  the stream on. Whether one was there, once it has ended; else nothing was done. */
  readonly passStream?: (request: Uint8Array, use: StreamUse) => Promise<boolean>;
}

/** What a stream of the caller's is: how its output comes, and whether it takes standard input. */
export interface StreamUse {
  readonly raw: boolean;
  readonly input: boolean;
}

export interface Terminal {
  readonly isTerminal: (fd: 0 | 1 | 2) => boolean;
  /** Of standard output; undefined where that is no terminal, or one that knows no size. */
  readonly size: () => TerminalSize | undefined;
  /** Every key as it is typed, every byte as it is, until `restore`. */
  readonly enterRawMode: () => { readonly restore: () => void };
  /** Calls back when the size has changed, until what is given back is called. */
  readonly onResize: (changed: () => void) => () => void;
}

export interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

/** A container's session, or an exec that somebody takes part in: plain data, as it may go from one process to another. */
export type Resumable =
  | {
      readonly kind: "session";
      readonly id: string;
      readonly tty: boolean;
      readonly streams: { readonly stdin: boolean; readonly stdout: boolean; readonly stderr: boolean };
      readonly detachKeys: string;
      readonly sigProxy: boolean;
      readonly waitFor: "not-running" | "next-exit" | "removed";
      /** Whether this session is the one that starts the container. */
      readonly starts: boolean;
    }
  | {
      readonly kind: "exec";
      readonly id: string;
      readonly tty: boolean;
      readonly stdin: boolean;
      readonly detachKeys: string;
    };

/** The command cannot be run where it was tried, and has done nothing yet: the caller runs it in a process of its own. */
export class NotHere extends Error {
  constructor() {
    super("this command needs a process of its own");
    this.name = "NotHere";
  }
}
