/** `orlop inspect`. */
import type { EngineClient } from "../client/engine-client.ts";
import { EngineError } from "../client/engine-error.ts";
import { command } from "./context.ts";
import { objectFormat } from "./format-flags.ts";
import { inspectEach } from "./inspect-each.ts";

export const inspect = command({
  name: "inspect",
  summary: "Show everything about containers and images, as JSON",
  args: "NAME...",
  flags: {
    format: objectFormat,
    size: { type: "switch", short: "s", help: "Show their size on disk, too" },
    type: {
      type: "text",
      choices: ["container", "image"],
      help: "Kind of object; without it a container comes before an image",
    },
  },
  inEngine: true,
  examples: ["orlop inspect web", "orlop inspect -f json web db", "orlop inspect -f '{{.State.Status}}' web"],
  run: ({ args, flags, engine, print, warn }) =>
    inspectEach(args, flags.format, { print, warn }, (name) => inspectOne(engine, name, flags)),
});

/** Scripts ask with it whether there is a container of a name: an image of that name is no answer. */
export const containerInspect = command({
  name: "inspect",
  summary: "Show everything about containers, as JSON",
  args: "CONTAINER...",
  flags: {
    format: objectFormat,
    size: { type: "switch", short: "s", help: "Show their size on disk, too" },
  },
  inEngine: true,
  examples: ["orlop container inspect web", "orlop container inspect -f '{{.State.Status}}' web"],
  run: ({ args, flags, engine, print, warn }) =>
    inspectEach(args, flags.format, { print, warn }, (name) => engine.containers.inspect(name, { size: flags.size })),
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
