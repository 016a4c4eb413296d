/** Runs the same operation on several containers. */
import { EngineError } from "../client/engine-error.ts";
import type { CliContext } from "./context.ts";

/** Runs it on all in parallel, and prints each name as given, unless there was nothing to do. A failure is printed as one line, and makes
 *  the exit code 1. */
export async function forEachContainer(
  names: readonly string[],
  context: CliContext,
  act: (name: string) => Promise<unknown>,
): Promise<number> {
  const acts = names.map((name) =>
    act(name).then(
      (done) => ({ done }),
      (error: unknown) => ({ error }),
    ),
  );
  let exitCode = 0;
  for (const [at, acted] of acts.entries()) {
    const outcome = await acted;
    if (!("error" in outcome)) {
      if (outcome.done !== "nothing done") await context.print(names[at] as string);
      continue;
    }
    if (!(outcome.error instanceof EngineError)) throw outcome.error;
    await context.warn(`orlop: ${outcome.error.message}`);
    exitCode = 1;
  }
  return exitCode;
}
