/** Reads an answer that is one JSON message in a line. */
import { OrlopError } from "../base/errors.ts";
import type { Answer } from "./answer.ts";
import type { ProgressMessage } from "./image-types.ts";

const lineMax = 4 << 20;

/** The messages as they come. @throws {OrlopError} remote_failure: what the engine says at the end, when it went wrong */
export async function* readProgress(response: Answer): AsyncGenerator<ProgressMessage, void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const bytes of response.stream()) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > lineMax) throw OrlopError.of("engine_broke_off", { reason: "its progress has no lines" });
    for (const line of lines) if (line.trim() !== "") yield checked(JSON.parse(line));
  }
  if (rest.trim() !== "") yield checked(JSON.parse(rest));
}

function checked(message: ProgressMessage): ProgressMessage {
  if (message.error !== undefined) throw OrlopError.of("remote_failure", { reason: message.error });
  return message;
}
