/** `orlop export`. */
import { refuseTerminal, writeArchive } from "./archive-files.ts";
import { command } from "./context.ts";

export const exportRoot = command({
  name: "export",
  summary: "Write a container's root as a tar archive, without what is mounted in it",
  args: "CONTAINER",
  flags: { output: { type: "text", short: "o", value: "FILE", help: "File to write instead of standard output" } },
  examples: ["orlop export -o web.tar web", "orlop export web | tar -t"],
  async run({ args, flags, ...context }) {
    await refuseTerminal(flags.output, context);
    await writeArchive(await context.engine.containers.export(args[0] as string), flags.output, context);
    return 0;
  },
});
