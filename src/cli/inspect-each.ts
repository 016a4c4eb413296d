/** What every `inspect` does with several names: what is found is printed as JSON, what is not gets a line. */
import { EngineError } from "../client/engine-error.ts";
import type { CliContext } from "./context.ts";

/** @param format json: one line for each; else one list. @returns the exit code: 1 when one was not found */
export async function inspectEach(
  names: readonly string[],
  format: "json" | undefined,
  { print, warn }: Pick<CliContext, "print" | "warn">,
  inspect: (name: string) => Promise<unknown>,
): Promise<number> {
  const found: unknown[] = [];
  let exitCode = 0;
  for (const name of names)
    try {
      found.push(await inspect(name));
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      await warn(`orlop: ${error.message}`);
      exitCode = 1;
    }
  if (format === "json") for (const one of found) await print(JSON.stringify(one));
  else await print(JSON.stringify(found, undefined, 4));
  return exitCode;
}
