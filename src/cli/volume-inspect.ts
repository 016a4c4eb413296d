/** `orlop volume inspect`. */
import { EngineError } from "../client/engine-error.ts";
import { command } from "./context.ts";

export const volumeInspect = command({
  name: "inspect",
  summary: "Show everything about volumes, as JSON",
  args: "VOLUME...",
  flags: {
    format: { type: "text", short: "f", choices: ["json"], help: "json: one line for each volume" },
  },
  examples: ["orlop volume inspect data"],
  async run({ args, flags, engine, print, warn }) {
    const found: unknown[] = [];
    let exitCode = 0;
    for (const name of args)
      try {
        found.push(await engine.volumes.inspect(name));
      } catch (error) {
        if (!(error instanceof EngineError)) throw error;
        await warn(`orlop: ${error.message}`);
        exitCode = 1;
      }
    if (flags.format === "json") for (const one of found) await print(JSON.stringify(one));
    else await print(JSON.stringify(found, undefined, 4));
    return exitCode;
  },
});
