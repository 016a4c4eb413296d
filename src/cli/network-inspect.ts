/** `orlop network inspect`. */
import { EngineError } from "../client/engine-error.ts";
import { command } from "./context.ts";

export const networkInspect = command({
  name: "inspect",
  summary: "Show everything about networks, as JSON",
  args: "NETWORK...",
  flags: {
    format: { type: "text", short: "f", choices: ["json"], help: "json: one line for each network" },
    verbose: { type: "switch", short: "v", help: "The same as without: there is nothing more to say" },
  },
  examples: ["orlop network inspect bridge"],
  async run({ args, flags, engine, print, warn }) {
    const found: unknown[] = [];
    let exitCode = 0;
    for (const name of args)
      try {
        found.push(await engine.networks.inspect(name, flags.verbose));
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
