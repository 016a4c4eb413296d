/** Standard output and error. `process.stdout` costs 12 ms at start; Bun's sinks cost nothing, and say when they are full. */

/** Where text and bytes go. What is written is flushed at once; waiting for it is waiting for the reader. */
export interface Output {
  write(bytes: Uint8Array | string): Promise<void>;
}

export function openOutput(fd: 1 | 2): Output {
  const sink = (fd === 1 ? Bun.stdout : Bun.stderr).writer();
  return {
    async write(bytes) {
      sink.write(bytes);
      await sink.flush();
    },
  };
}

/** The reader of our output has gone (`orlop ps | head -1`): nothing more to do or to say. */
export function isBrokenPipe(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EPIPE";
}

/** What a shell reports for a program that SIGPIPE ended. */
export const brokenPipeExitCode = 128 + 13;
