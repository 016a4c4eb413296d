/** `orlop save`. */
import { refuseTerminal, writeArchive } from "./archive-files.ts";
import { command } from "./context.ts";

export const save = command({
  name: "save",
  summary: "Write images to one archive, which docker load, podman load and skopeo can read too",
  args: "IMAGE...",
  flags: {
    output: { type: "text", short: "o", value: "FILE", help: "File to write instead of standard output" },
    platform: {
      type: "text",
      value: "OS/ARCHITECTURE",
      help: "Only this platform of each image; without it all that are here",
    },
  },
  examples: ["orlop save -o web.tar web:1 web:2", "orlop save web | ssh other orlop load"],
  async run({ args, flags, ...context }) {
    await refuseTerminal(flags.output, context);
    await writeArchive(await context.engine.images.save(args, flags.platform), flags.output, context);
    return 0;
  },
});
