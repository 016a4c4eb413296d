/** `orlop run`: create, attach, start, and stay until the exit. */
import { closeSync, openSync, unlinkSync, writeSync } from "node:fs";
import { OrlopError } from "../base/errors.ts";
import type { ContainerCreate, ContainerCreated } from "../client/container-types.ts";
import { EngineError } from "../client/engine-error.ts";
import { type ContainerFlags, containerConfig, type Streams, streamsOf } from "./container-config.ts";
import { type CliContext, command } from "./context.ts";
import { parseDetachKeys } from "./detach-keys.ts";
import { exitCodeOf, StartFailure } from "./exit-code.ts";
import { withFlagName } from "./flag-of-field.ts";
import { runFlags } from "./run-flags.ts";
import { runSession } from "./session.ts";
import { checkTerminal } from "./terminal-session.ts";

export const run = command({
  name: "run",
  summary: "Run a command in a new container",
  description: `The image "host" is this machine itself, copy-on-write: whatever the container changes is gone with it.
The exit code is the container's; 125: Orlop failed; 126: the command cannot be run; 127: it was not found.`,
  args: "[IMAGE] [COMMAND] [ARG...]",
  flagPlaces: "before-arguments",
  failure: 125,
  flags: runFlags,
  inEngine: true,
  examples: [
    "orlop run --rm -it host bash",
    "orlop run --rm host sh -c 'rm -rf /usr; ls /'",
    "orlop run -d --name web --memory 256m --rootfs ./web /bin/server",
    "echo hello | orlop run --rm -i host tr a-z A-Z",
  ],
  async run({ args, flags, ...context }) {
    const streams = streamsOf(flags, flags.detach);
    parseDetachKeys(flags.detachKeys); // before anything is made
    const created = await createContainer(context, flags, args, { streams, attach: !flags.detach });
    const { containers } = context.engine;
    const start = () => containers.start(created.Id).catch((error: unknown) => Promise.reject(new StartFailure(error)));
    if (flags.detach) {
      await start();
      await context.print(created.Id);
      return 0;
    }
    const end = await runSession(context, {
      id: created.Id,
      tty: flags.tty,
      streams,
      detachKeys: flags.detachKeys,
      sigProxy: flags.sigProxy,
      waitFor: flags.rm ? "removed" : "next-exit",
      start,
    });
    return exitCodeOf(end);
  },
});

/** What `run` and `create` share: checks, the create request, warnings, --cidfile. */
export async function createContainer(
  context: CliContext,
  flags: ContainerFlags,
  args: readonly string[],
  { streams, attach }: { readonly streams: Streams; readonly attach: boolean },
): Promise<ContainerCreated> {
  const size = flags.tty && attach ? await checkTerminal(context, streams.stdin) : undefined;
  const config = containerConfig(flags, args, streams, context);
  if (flags.cidfile !== undefined) context.needOwnProcess();
  const idFile = flags.cidfile === undefined ? undefined : openIdFile(flags.cidfile);
  try {
    // While the engine works on it, the connections for attach, wait and start are made (the third is this one's).
    const asked = createPulling(context, flags, sizedTo(config, size));
    if (attach) {
      context.engine.openAhead();
      context.engine.openAhead();
    }
    const created = await asked;
    if (idFile !== undefined) writeSync(idFile, created.Id);
    for (const warning of created.Warnings ?? []) await context.warn(`orlop: warning: ${warning}`);
    return created;
  } catch (error) {
    if (flags.cidfile !== undefined) unlinkSync(flags.cidfile);
    throw error;
  } finally {
    if (idFile !== undefined) closeSync(idFile);
  }
}

function sizedTo(config: ContainerCreate, size: readonly [number, number] | undefined): ContainerCreate {
  return size === undefined ? config : { ...config, HostConfig: { ...config.HostConfig, ConsoleSize: size } };
}

/** The create request; an image that is missing is pulled, as `--pull` says. */
async function createPulling(
  context: CliContext,
  flags: ContainerFlags,
  config: ContainerCreate,
): Promise<ContainerCreated> {
  const create = () => context.engine.containers.create(config, flags.name, flags.platform);
  const { Image = "" } = config;
  const pull = async () => {
    context.needOwnProcess(); // for the credentials
    await (await import("./pull-image.ts")).pullImage(context, Image, flags, 2);
  };
  if (flags.pull === "always") await pull();
  try {
    return await create();
  } catch (error) {
    const isMissing = error instanceof EngineError && error.status === 404 && Image !== "";
    if (!isMissing || flags.pull !== "missing") throw withFlagName(error);
    context.needOwnProcess();
    if (!flags.quiet) await context.warn(`Unable to find image '${withTag(Image)}' locally`);
    await pull();
    return create();
  }
}

function withTag(image: string): string {
  return /[:@]/.test(image.slice(image.lastIndexOf("/") + 1)) ? image : `${image}:latest`;
}

/** Before the container is made, as one without its file would be an orphan; never over an older one's. */
function openIdFile(path: string): number {
  try {
    return openSync(path, "wx", 0o644);
  } catch (error) {
    const reason =
      error instanceof Error && "code" in error && error.code === "EEXIST" ? "it exists already" : String(error);
    throw OrlopError.of("file_unwritable", { what: "--cidfile", path, reason }, error);
  }
}
