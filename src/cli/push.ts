/** `orlop push`. */
import { OrlopError } from "../base/errors.ts";
import type { ProgressMessage } from "../client/image-types.ts";
import { authFor } from "../client/registry-auth.ts";
import { parseReference } from "../spec/reference.ts";
import { command } from "./context.ts";
import { columnsOf } from "./pull-image.ts";
import { showProgress } from "./show-progress.ts";

export const push = command({
  name: "push",
  summary: "Upload an image to a registry",
  args: "NAME[:TAG]",
  flags: {
    allTags: { type: "switch", short: "a", help: "Every tag that the repository has here" },
    quiet: { type: "switch", short: "q", help: "Print nothing but the name" },
    disableContentTrust: { type: "later", takesValue: false, help: "" },
    platform: { type: "text", value: "OS/ARCHITECTURE", help: "Only this platform of the image" },
  },
  examples: ["orlop tag web localhost:5000/web:2", "orlop push localhost:5000/web:2"],
  async run({ args, flags, ...context }) {
    const { engine, print, stdout } = context;
    const [name = ""] = args;
    const { tag, digest } = parseReference(name);
    const isTagged = name.endsWith(`:${tag}`);
    if (digest !== undefined || (flags.allTags && isTagged))
      throw OrlopError.of("bad_value", {
        what: "name",
        value: name,
        expected: digest === undefined ? "no tag together with --all-tags" : "a name without a digest",
      });
    const repository = isTagged ? name.slice(0, -`:${tag}`.length) : name;
    const { auth } = await authFor(name, context.env);
    const { platform } = flags;
    const messages = engine.images.push(repository, { tag: flags.allTags ? undefined : tag, auth, platform });
    if (flags.quiet) for await (const _ of messages);
    else await showProgress(withNote(messages), stdout, await columnsOf(context, 1));
    if (flags.quiet) await print(name);
    return 0;
  },
});

/** Says at the end when only a part of what the name leads to could be pushed. */
async function* withNote(messages: AsyncIterable<ProgressMessage>): AsyncGenerator<ProgressMessage, void> {
  let note: string | undefined;
  for await (const message of messages) {
    const {
      manifestPushedInsteadOfIndex: isPart,
      originalIndex: index,
      selectedManifest: manifest,
    } = message.aux ?? {};
    if (isPart === true)
      note = `Not all of index ${digestIn(index)} is here: only manifest ${digestIn(manifest)} was pushed`;
    yield message;
  }
  if (note !== undefined) yield { status: note };
}

function digestIn(descriptor: unknown): string {
  return (descriptor as { readonly digest: string }).digest;
}
