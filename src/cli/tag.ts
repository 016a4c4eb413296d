/** `orlop tag`. */
import { OrlopError } from "../base/errors.ts";
import { familiarName, parseReference } from "../spec/reference.ts";
import { command } from "./context.ts";

export const tag = command({
  name: "tag",
  summary: "Give an image another name",
  args: "IMAGE NAME[:TAG]",
  flags: {},
  inEngine: true,
  examples: ["orlop tag web:2 localhost:5000/web:2"],
  async run({ args, engine }) {
    const [image = "", name, ...more] = args;
    if (name === undefined || more.length > 0)
      throw OrlopError.of("wrong_arguments", {
        command: "orlop tag",
        usage: "orlop tag IMAGE NAME[:TAG]",
        given: args.length,
      });
    const reference = parseReference(name);
    if (reference.digest !== undefined) throw OrlopError.of("not_an_image_name", { name });
    await engine.images.tag(image, familiarName(reference), reference.tag);
    return 0;
  },
});
