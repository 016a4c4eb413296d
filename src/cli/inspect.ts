/** `orlop inspect`. */
import { EngineError } from "../client/engine-error.ts";
import { command } from "./context.ts";

export const inspect = command({
  name: "inspect",
  summary: "Show everything about containers, as JSON",
  args: "CONTAINER...",
  flags: {
    format: { type: "text", short: "f", choices: ["json"], help: "json: one line for each container" },
    size: { type: "switch", short: "s", help: "How much of the disk they take, too" },
    type: { type: "text", choices: ["container"], help: "Kind of object" },
  },
  examples: ["orlop inspect web", "orlop inspect -f json web db"],
  async run({ args, flags, engine, print, warn }) {
    const found: unknown[] = [];
    let exitCode = 0;
    for (const name of args)
      try {
        found.push(await engine.containers.inspect(name, { size: flags.size }));
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
