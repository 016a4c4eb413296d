/** `orlop import`. */
import { OrlopError } from "../base/errors.ts";
import { readArchive } from "./archive-files.ts";
import { command } from "./context.ts";
import { splitName } from "./image-name.ts";
import { showProgress } from "./show-progress.ts";

export const importRoot = command({
  name: "import",
  summary: "Make an image from an archive of a root: a file, - for standard input, or a URL",
  args: "FILE|-|URL [NAME[:TAG]]",
  flags: {
    change: { type: "list", short: "c", value: "INSTRUCTION", help: 'A Dockerfile instruction, e.g. "ENV A=b"' },
    message: { type: "text", short: "m", help: "Message for the history of the image" },
    platform: { type: "text", value: "OS/ARCHITECTURE", help: "Platform of the image" },
  },
  examples: ["orlop import root.tar.gz base:1", "orlop export web | orlop import - web:flat"],
  async run({ args, flags, ...context }) {
    const { engine, stdout } = context;
    const [source = "", name] = args;
    const { change: changes, message, platform } = flags;
    const archive = /^https?:\/\//.test(source) ? download(source) : readArchive(source, context);
    await showProgress(
      engine.images.import(archive, { ...splitName(name), changes, message, platform }),
      stdout,
      undefined,
    );
    return 0;
  },
});

/** By this command, as its user: the engine fetches nothing for anybody. */
async function* download(url: string): AsyncGenerator<Uint8Array, void> {
  const unreadable = (reason: string, cause?: unknown): OrlopError =>
    OrlopError.of("file_unreadable", { what: "import", path: url, reason }, cause);
  const response = await fetch(url).catch((error: Error) => {
    throw unreadable(error.message, error);
  });
  if (!response.ok || response.body === null) throw unreadable(`${response.status} ${response.statusText}`);
  yield* response.body as unknown as AsyncIterable<Uint8Array>;
}
