/** The same thing done to several containers. */
import { EngineError } from "../client/engine-error.ts";
import type { CliContext } from "./context.ts";

/** Does it to all at once and prints each one's name as given; one that fails gets a line, and the exit code is 1. */
export async function forEachContainer(
  names: readonly string[],
  context: CliContext,
  act: (name: string) => Promise<void>,
): Promise<number> {
  const acts = names.map((name) =>
    act(name).then(
      () => undefined,
      (error: unknown) => ({ error }),
    ),
  );
  let exitCode = 0;
  for (const [at, outcome] of acts.entries()) {
    const failed = await outcome;
    if (failed === undefined) {
      await context.print(names[at] as string);
      continue;
    }
    if (!(failed.error instanceof EngineError)) throw failed.error;
    await context.warn(`orlop: ${failed.error.message}`);
    exitCode = 1;
  }
  return exitCode;
}
