/** The same thing done to several containers. */
import { EngineError } from "../client/engine-error.ts";
import type { CliContext } from "./context.ts";

/** Does it to all at once and prints each one's name as given, unless there was nothing to do; one that fails gets a line, and
 *  the exit code is 1. */
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
