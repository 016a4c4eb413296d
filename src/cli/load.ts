/** `orlop load`. */
import { readArchive } from "./archive-files.ts";
import { command } from "./context.ts";
import { showProgress } from "./show-progress.ts";

export const load = command({
  name: "load",
  summary: "Load images from an archive made by save, docker save, podman save, skopeo or umoci",
  args: "",
  flags: {
    input: { type: "text", short: "i", value: "FILE", help: "File to read instead of standard input" },
    quiet: { type: "switch", short: "q", help: "Print the names alone (as always)", hidden: true },
    platform: { type: "text", value: "OS/ARCHITECTURE", help: "Which one of an image for several platforms" },
  },
  examples: ["orlop load -i web.tar", "docker save web | orlop load"],
  async run({ flags, ...context }) {
    const messages = context.engine.images.load(readArchive(flags.input, context), flags.platform);
    await showProgress(messages, context.stdout, undefined);
    return 0;
  },
});
