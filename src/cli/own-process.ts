/** The caller is this process. */
import type { Caller } from "./caller.ts";
import { readFlagFile } from "./key-values.ts";
import { type Output, openOutput } from "./output.ts";

export function ownProcess(): Caller {
  return {
    env: process.env,
    get cwd() {
      return process.cwd();
    },
    stdout: lazyOutput(1),
    stderr: lazyOutput(2),
    stdin: () => Bun.stdin.stream(),
    terminal: async () => (await import("./terminal.ts")).ownTerminal,
    catchSignals(signals, caught) {
      for (const signal of signals) process.on(signal, caught);
      return () => {
        for (const signal of signals) process.off(signal, caught);
      };
    },
    readFile: readFlagFile,
    needOwnProcess: () => undefined,
    begin: () => undefined,
    keepResumable: () => undefined,
  };
}

/** Opens the output when it is first written to. */
function lazyOutput(fd: 1 | 2): Output {
  let output: Output | undefined;
  return {
    write: (bytes) => {
      output ??= openOutput(fd);
      return output.write(bytes);
    },
  };
}
