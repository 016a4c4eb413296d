/** `orlop start`. */
import { OrlopError } from "../base/errors.ts";
import { type CliContext, command } from "./context.ts";
import { defaultDetachKeys, parseDetachKeys } from "./detach-keys.ts";
import { forEachContainer } from "./each.ts";
import { exitCodeOf, StartFailure } from "./exit-code.ts";
import { runSession } from "./session.ts";

export const start = command({
  name: "start",
  summary: "Start containers that were created or have exited",
  args: "CONTAINER...",
  flags: {
    attach: { type: "switch", short: "a", help: "Attach to its output, pass signals on, and stay until it exits" },
    interactive: { type: "switch", short: "i", help: "Attach to its standard input, too" },
    detachKeys: {
      type: "text",
      default: defaultDetachKeys,
      value: "KEYS",
      help: "Keys that leave the container running",
    },
    sigProxy: { type: "switch", default: true, help: "With --attach: pass signals on to the container" },
    checkpoint: { type: "later", takesValue: true, help: "" },
    checkpointDir: { type: "later", takesValue: true, help: "" },
  },
  inEngine: true,
  examples: ["orlop start web db", "orlop start -ai box"],
  async run({ args, flags, ...context }) {
    if (!flags.attach && !flags.interactive)
      return forEachContainer(args, context, (name) => context.engine.containers.start(name));
    if (args.length > 1) throw OrlopError.of("one_container", { flag: flags.attach ? "--attach" : "--interactive" });
    parseDetachKeys(flags.detachKeys);
    return startAttached(context, args[0] as string, flags);
  },
});

interface AttachFlags {
  readonly interactive: boolean;
  readonly detachKeys: string;
  readonly sigProxy: boolean;
}

async function startAttached(context: CliContext, name: string, flags: AttachFlags): Promise<number> {
  const { containers } = context.engine;
  const { Id, Config, HostConfig } = await containers.inspect(name);
  const end = await runSession(context, {
    id: Id,
    tty: Config.Tty,
    streams: { stdin: flags.interactive && Config.OpenStdin, stdout: true, stderr: true },
    detachKeys: flags.detachKeys,
    sigProxy: flags.sigProxy && !Config.Tty,
    waitFor: HostConfig.AutoRemove ? "removed" : "next-exit",
    start: () => containers.start(Id).catch((error: unknown) => Promise.reject(new StartFailure(error))),
  });
  return exitCodeOf(end);
}
