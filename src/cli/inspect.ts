/** `orlop inspect`. */
import type { EngineClient } from "../client/engine-client.ts";
import { EngineError } from "../client/engine-error.ts";
import { command } from "./context.ts";

export const inspect = command({
  name: "inspect",
  summary: "Show everything about containers and images, as JSON",
  args: "NAME...",
  flags: {
    format: { type: "text", short: "f", choices: ["json"], help: "json: one line for each" },
    size: { type: "switch", short: "s", help: "How much of the disk they take, too" },
    type: {
      type: "text",
      choices: ["container", "image"],
      help: "Kind of object; without it a container comes before an image",
    },
  },
  examples: ["orlop inspect web", "orlop inspect -f json web db"],
  async run({ args, flags, engine, print, warn }) {
    const found: unknown[] = [];
    let exitCode = 0;
    for (const name of args)
      try {
        found.push(await inspectOne(engine, name, flags));
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

/** A container, else an image: the first that has the name or id. */
async function inspectOne(
  engine: EngineClient,
  name: string,
  { size, type }: { readonly size: boolean; readonly type: "container" | "image" | undefined },
): Promise<unknown> {
  if (type === "image") return engine.images.inspect(name);
  try {
    return await engine.containers.inspect(name, { size });
  } catch (error) {
    if (type === "container" || !(error instanceof EngineError) || error.status !== 404) throw error;
    return engine.images.inspect(name).catch((missing: unknown) => {
      const isMissing = missing instanceof EngineError && (missing.status === 404 || missing.status === 400);
      throw isMissing ? new EngineError(404, `No such object: ${name}`) : missing;
    });
  }
}
