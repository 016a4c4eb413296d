/** Exit codes of commands that run a container's program. */
import { EngineError } from "../client/engine-error.ts";
import type { SessionEnd } from "./session.ts";

/** The container was created, but did not start. */
export class StartFailure extends Error {
  constructor(cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.name = "StartFailure";
  }
}

/** An error that determines the exit code of the command. */
export class CommandFailure extends Error {
  readonly exitCode: number;

  constructor(exitCode: number, cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.exitCode = exitCode;
  }
}

/** The container's own exit code; 0 when it was left running. */
export function exitCodeOf(end: SessionEnd): number {
  return end.kind === "detached" ? 0 : end.exit.StatusCode;
}

/** A failed start: 127 when the program was not found, 126 when it cannot be run, by the messages that every engine uses. */
export function startExitCode(failure: StartFailure, otherwise: number): number {
  if (!(failure.cause instanceof EngineError)) return otherwise;
  if (/executable file not found|no such file or directory/i.test(failure.message)) return 127;
  if (/permission denied|is a directory/i.test(failure.message)) return 126;
  return otherwise;
}
