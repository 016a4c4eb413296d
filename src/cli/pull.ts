/** `orlop pull`. */
import { OrlopError } from "../base/errors.ts";
import { authFor } from "../client/registry-auth.ts";
import { familiarReference, parseReference } from "../spec/reference.ts";
import { command } from "./context.ts";
import { columnsOf, pullImage } from "./pull-image.ts";
import { showProgress } from "./show-progress.ts";

export const pull = command({
  name: "pull",
  summary: "Download an image from a registry",
  args: "NAME[:TAG|@DIGEST]",
  flags: {
    allTags: { type: "switch", short: "a", help: "Every tag of the repository" },
    platform: { type: "text", value: "OS/ARCHITECTURE", help: "Which one of an image for several platforms" },
    quiet: { type: "switch", short: "q", help: "Print nothing but the name" },
    disableContentTrust: { type: "later", takesValue: false, help: "" },
  },
  examples: ["orlop pull debian", "orlop pull --platform linux/arm64 localhost:5000/web:2"],
  async run({ args, flags, ...context }) {
    const [name = ""] = args;
    const reference = parseReference(name);
    if (flags.allTags) {
      if (name.includes("@") || name.endsWith(`:${reference.tag}`))
        throw OrlopError.of("bad_value", { what: "name", value: name, expected: "no tag together with --all-tags" });
      const platform = flags.platform === undefined ? {} : { platform: flags.platform };
      const messages = context.engine.images.pull(name, { ...platform, ...(await authFor(name, context.env)) });
      await showProgress(messages, context.stdout, await columnsOf(context, 1));
      return 0;
    }
    await pullImage(context, name, flags, 1);
    await context.print(flags.quiet ? name : familiarReference(reference));
    return 0;
  },
});
