/** `orlop resume`: goes on with what the engine ran for a launcher, when that engine is gone. The launcher calls it. */
import { OrlopError } from "../base/errors.ts";
import { asObject, asText, asTruth, type JsonObject, parseJsonObject } from "../spec/json-shape.ts";
import type { Resumable } from "./caller.ts";
import { type CliContext, command } from "./context.ts";
import { exitOfExec, takePart } from "./exec.ts";
import { CommandFailure, exitCodeOf, StartFailure } from "./exit-code.ts";
import { resumeSession } from "./session.ts";

export const resume = command({
  name: "resume",
  summary: "Go on with a session that a lost engine had",
  args: "STATE STDOUT STDERR FAILURE",
  flags: {},
  hidden: true,
  examples: [],
  async run({ args, ...context }) {
    const [text = "", stdout, stderr, failure] = args;
    const state = parseState(text);
    const passed = { stdout: countOf(stdout), stderr: countOf(stderr) };
    return goOn(context, state, passed).catch((error: unknown) => {
      throw new CommandFailure(countOf(failure), error);
    });
  },
});

async function goOn(
  context: CliContext,
  state: Resumable,
  passed: { readonly stdout: number; readonly stderr: number },
): Promise<number> {
  if (state.kind === "exec") return (await exitOfExec(context, state.id, state)) ?? takePart(context, state.id, state);
  const { containers } = context.engine;
  const start = () => containers.start(state.id).catch((error: unknown) => Promise.reject(new StartFailure(error)));
  return exitCodeOf(await resumeSession(context, { ...state, ...(state.starts ? { start } : {}) }, passed));
}

const conditions = ["not-running", "next-exit", "removed"] as const;

/** What `keepResumable` was given, as it came back. */
function parseState(text: string): Resumable {
  const state = parseJsonObject(new TextEncoder().encode(text));
  const truth = (object: JsonObject, name: string): boolean => asTruth(object[name], name);
  const id = asText(state["id"], "id");
  if (state["kind"] === "exec")
    return {
      kind: "exec",
      id,
      tty: truth(state, "tty"),
      stdin: truth(state, "stdin"),
      detachKeys: asText(state["detachKeys"], "detachKeys"),
    };
  const streams = asObject(state["streams"], "streams");
  const waitFor = conditions.find((one) => one === state["waitFor"]);
  if (state["kind"] !== "session" || waitFor === undefined)
    throw OrlopError.of("bad_value", { what: "state", value: text, expected: "what the engine gave the launcher" });
  return {
    kind: "session",
    id,
    streams: { stdin: truth(streams, "stdin"), stdout: truth(streams, "stdout"), stderr: truth(streams, "stderr") },
    detachKeys: asText(state["detachKeys"], "detachKeys"),
    waitFor,
    tty: truth(state, "tty"),
    sigProxy: truth(state, "sigProxy"),
    starts: truth(state, "starts"),
  };
}

function countOf(text: string | undefined): number {
  if (text === undefined || !/^\d{1,15}$/.test(text))
    throw OrlopError.of("bad_value", { what: "count", value: text ?? "", expected: "a number of bytes" });
  return Number(text);
}
