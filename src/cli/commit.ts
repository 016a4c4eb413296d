/** `orlop commit`. */
import { command } from "./context.ts";
import { splitName } from "./image-name.ts";

export const commit = command({
  name: "commit",
  summary: "Make an image from a container's changes",
  args: "CONTAINER [NAME[:TAG]]",
  flags: {
    author: { type: "text", short: "a", help: "Author of the image" },
    change: { type: "list", short: "c", value: "INSTRUCTION", help: 'A Dockerfile instruction, e.g. "ENV A=b"' },
    message: { type: "text", short: "m", help: "Message for the history of the image" },
    pause: { type: "switch", short: "p", default: true, help: "Pause the container meanwhile" },
  },
  inEngine: true,
  examples: ["orlop commit web web:changed", 'orlop commit -c \'CMD ["nginx"]\' -m "with modules" web'],
  async run({ args, flags, engine, print }) {
    const [container = "", name] = args;
    const { author, change: changes, message: comment, pause } = flags;
    const options = { ...splitName(name), author, comment, changes, pause: pause ? 1 : 0 } as const;
    await print(await engine.images.commit(container, options));
    return 0;
  },
});
