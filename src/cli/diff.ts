/** `orlop diff`. */
import { command } from "./context.ts";
import { printableLine } from "./printable.ts";

const letters = { 0: "C", 1: "A", 2: "D" } as const;

export const diff = command({
  name: "diff",
  summary: "Show what a container changed in its root: A added, C changed, D deleted",
  args: "CONTAINER",
  flags: {},
  inEngine: true,
  examples: ["orlop diff web"],
  async run({ args, engine, print }) {
    for (const { Kind, Path } of await engine.containers.changes(args[0] as string))
      await print(`${letters[Kind]} ${printableLine(Path)}`);
    return 0;
  },
});
