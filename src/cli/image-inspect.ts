/** `orlop image inspect`. */
import { EngineError } from "../client/engine-error.ts";
import { command } from "./context.ts";

export const imageInspect = command({
  name: "inspect",
  summary: "Show everything about images, as JSON",
  args: "IMAGE...",
  flags: {
    format: { type: "text", short: "f", choices: ["json"], help: "json: one line for each image" },
    platform: { type: "later", takesValue: true, help: "" },
  },
  examples: ["orlop image inspect debian"],
  async run({ args, flags, engine, print, warn }) {
    const found: unknown[] = [];
    let exitCode = 0;
    for (const name of args)
      try {
        found.push(await engine.images.inspect(name));
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
