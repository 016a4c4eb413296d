/** `orlop attach`. */
import { OrlopError } from "../base/errors.ts";
import { command } from "./context.ts";
import { defaultDetachKeys, parseDetachKeys } from "./detach-keys.ts";
import { exitCodeOf } from "./exit-code.ts";
import { runSession } from "./session.ts";

export const attach = command({
  name: "attach",
  summary: "Attach to a running container's standard streams",
  args: "CONTAINER",
  flags: {
    noStdin: { type: "switch", help: "Do not attach standard input" },
    detachKeys: {
      type: "text",
      default: defaultDetachKeys,
      value: "KEYS",
      help: "Keys that leave the container running",
    },
    sigProxy: { type: "switch", default: true, help: "Pass signals on to the container" },
  },
  inEngine: true,
  examples: ["orlop attach box", "orlop attach --no-stdin web"],
  async run({ args, flags, ...context }) {
    parseDetachKeys(flags.detachKeys);
    const { Id, State, Config } = await context.engine.containers.inspect(args[0] as string);
    if (!State.Running) throw OrlopError.of("not_running", { id: args[0] as string });
    const stdin = Config.OpenStdin && !flags.noStdin;
    if (Config.Tty && stdin && !(await context.terminal()).isTerminal(0)) throw OrlopError.of("not_a_terminal", {});
    const end = await runSession(context, {
      id: Id,
      tty: Config.Tty,
      streams: { stdin, stdout: true, stderr: true },
      detachKeys: flags.detachKeys,
      sigProxy: flags.sigProxy && !Config.Tty,
      waitFor: "not-running",
    });
    return exitCodeOf(end);
  },
});
