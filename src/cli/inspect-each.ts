/** What every `inspect` does with several names: what is found is printed as JSON, what is not gets a line. */
import { OrlopError } from "../base/errors.ts";
import { EngineError } from "../client/engine-error.ts";
import type { CliContext } from "./context.ts";
import { formatTemplate } from "./format-flags.ts";

/**
 * @param format json: one line for each; a template: what it makes of each; else one list
 * @returns the exit code: 1 when one was not found, or has not what the template asks for
 */
export async function inspectEach(
  names: readonly string[],
  format: string | undefined,
  { print, warn }: Pick<CliContext, "print" | "warn">,
  inspect: (name: string) => Promise<unknown>,
): Promise<number> {
  const template = format === undefined || format === "json" ? undefined : formatTemplate(format, "--format");
  const found: unknown[] = [];
  let exitCode = 0;
  for (const name of names)
    try {
      const one = await inspect(name);
      if (template === undefined) found.push(one);
      else await print(template(one));
    } catch (error) {
      if (!(error instanceof EngineError || error instanceof OrlopError)) throw error;
      await warn(`orlop: ${error.message}`);
      exitCode = 1;
    }
  if (template !== undefined) return exitCode;
  if (format === "json") for (const one of found) await print(JSON.stringify(one));
  else await print(JSON.stringify(found, undefined, 4));
  return exitCode;
}
