/** `orlop explain`: what a container is, or what one command line would do. */
import { OrlopError } from "../base/errors.ts";
import type { ContainerCreate } from "../client/container-types.ts";
import type { ExplainedPlan } from "../client/explained-plan.ts";
import { Explanation } from "../client/explaining-exchange.ts";
import { parseFlags } from "../command/parse-flags.ts";
import { findCommand } from "../command/table.ts";
import type { Caller } from "./caller.ts";
import { orlop } from "./commands.ts";
import { containerConfig, streamsOf } from "./container-config.ts";
import { type CliContext, command } from "./context.ts";
import { renderLayers } from "./explain-layers.ts";
import { renderPlan, styleFor } from "./explain-plan.ts";
import { runFlags } from "./run-flags.ts";

const example = ["run", "--rm", "-it", "host", "bash"];

export const explain = command({
  name: "explain",
  summary: "Explain what a container is, or what a command line would do, system call by system call",
  description:
    "Of these commands: run, create, exec, cp, commit, stop, network create. Nothing of it is done; a container is looked at.",
  args: "[COMMAND] [FLAGS] [ARG...]",
  flagPlaces: "before-arguments",
  flags: { json: { type: "switch", help: "The plan as JSON" } },
  examples: [
    "orlop explain",
    "orlop explain run --rm -it host bash",
    "orlop explain run --memory 64m --read-only host true",
    "orlop explain exec web ls",
    "orlop explain cp web:/etc/passwd .",
  ],
  async run({ args, flags, ...context }) {
    const { stdout } = context;
    const words = args.length === 0 ? example : args;
    const plan = await planOf(words[0] === "orlop" ? words.slice(1) : words, context);
    if (plan === undefined) return 1;
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

/** Commands that ask the engine before they do anything here; their own code makes the request that is explained. */
const askedFirst: ReadonlySet<string> = new Set([
  "orlop exec",
  "orlop cp",
  "orlop commit",
  "orlop stop",
  "orlop network create",
]);
const makers: ReadonlySet<string> = new Set(["orlop run", "orlop create"]);

/**
 * @returns undefined where the command has said by itself what is wrong
 * @throws {OrlopError} not_explained; EngineError: what the engine says of such a request
 */
async function planOf(words: readonly string[], context: CliContext): Promise<ExplainedPlan | undefined> {
  const found = await findCommand(orlop, words, "orlop");
  const path = found.path.replace("orlop container ", "orlop ");
  if (found.kind === "command" && makers.has(path))
    return context.engine.containers.explain(configOf(found.rest, path, context));
  if (found.kind === "group" || !askedFirst.has(path)) throw OrlopError.of("not_explained", { what: path });
  const action = found.command.prepare(found.rest, path);
  if (action === undefined) throw OrlopError.of("not_explained", { what: `${path} --help` });
  try {
    const exitCode = await action({ ...context, engine: context.engine.explaining() });
    if (exitCode !== 0) return undefined;
  } catch (error) {
    if (error instanceof Explanation) return error.plan;
    throw error;
  }
  throw OrlopError.of("not_explained", { what: `"${words.join(" ")}"` });
}

/** What `run` or `create` would ask for with these words. */
function configOf(words: readonly string[], path: string, caller: Caller): ContainerCreate {
  const { flags, args } = parseFlags(runFlags, words, "before-arguments", path);
  return containerConfig(flags, args, streamsOf(flags, flags.detach), caller);
}
