/** `orlop explain`: what a container is, or what one command line would do. */
import { OrlopError } from "../base/errors.ts";
import type { ContainerCreate } from "../client/container-types.ts";
import { parseFlags } from "../command/parse-flags.ts";
import type { Caller } from "./caller.ts";
import { containerConfig, streamsOf } from "./container-config.ts";
import { command } from "./context.ts";
import { renderLayers } from "./explain-layers.ts";
import { renderPlan, styleFor } from "./explain-plan.ts";
import { runFlags } from "./run-flags.ts";

const example = ["run", "--rm", "-it", "host", "bash"];

export const explain = command({
  name: "explain",
  summary: "Explain what a container is, or what a command line would do, system call by system call",
  args: "[run] [FLAGS] [IMAGE] [COMMAND...]",
  flagPlaces: "before-arguments",
  flags: { json: { type: "switch", help: "The plan as JSON" } },
  examples: [
    "orlop explain",
    "orlop explain run --rm -it host bash",
    "orlop explain run --memory 64m --read-only host true",
  ],
  async run({ args, flags, ...context }) {
    const { engine, stdout } = context;
    const words = args.length === 0 ? example : args;
    const plan = await engine.containers.explain(configOf(words, context));
    if (flags.json) {
      await stdout.write(`${JSON.stringify(plan.steps, undefined, 2)}\n`);
      return 0;
    }
    const style = styleFor((await context.terminal()).isTerminal(1));
    const commandLine = `${words[0] === "orlop" ? "" : "orlop "}${words.join(" ")}`;
    const text =
      args.length === 0 ? renderLayers(plan.steps, commandLine, style) : renderPlan(plan, commandLine, style);
    await stdout.write(text);
    return 0;
  },
});

/** What `run` or `create` would ask for with these words. */
function configOf(words: readonly string[], caller: Caller): ContainerCreate {
  const [verb, ...rest] = words[0] === "orlop" ? words.slice(1) : words;
  if (verb !== "run" && verb !== "create")
    throw OrlopError.of("bad_value", {
      what: "command",
      value: verb ?? "",
      expected: "run or create: these make a container",
    });
  const { flags, args } = parseFlags(runFlags, rest, "before-arguments", `orlop ${verb}`);
  return containerConfig(flags, args, streamsOf(flags, flags.detach), caller);
}
