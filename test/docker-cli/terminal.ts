/** A program at a terminal, as a person sits in front of it. */

import { waitUntil } from "../wait-until.ts";

export interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

export interface TerminalSession extends AsyncDisposable {
  /** Everything that has appeared so far. */
  readonly text: string;
  readonly exited: Promise<number>;
  type(keys: string): void;
  resize(size: TerminalSize): void;
  /** Waits until the text matches. */
  says(pattern: RegExp): Promise<void>;
}

const patienceMs = 15_000;

export function openTerminal(
  command: readonly string[],
  env: Readonly<Record<string, string>>,
  { rows, columns }: TerminalSize,
): TerminalSession {
  let text = "";
  const decoder = new TextDecoder();
  const child = Bun.spawn([...command], {
    env: { ...process.env, TERM: "xterm", ...env },
    terminal: {
      rows,
      cols: columns,
      data(_terminal, bytes) {
        text += decoder.decode(bytes, { stream: true });
      },
    },
  });
  return {
    get text() {
      return text;
    },
    exited: child.exited,
    type: (keys) => void child.terminal?.write(keys),
    resize: (size) => child.terminal?.resize(size.columns, size.rows),
    says: (pattern) =>
      waitUntil(() => pattern.test(text), patienceMs, `${pattern} on the terminal`).catch((error: unknown) => {
        throw new Error(`${error instanceof Error ? error.message : error}; it shows ${JSON.stringify(text)}`);
      }),
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
      child.terminal?.close();
    },
  };
}
