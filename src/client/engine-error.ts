/** An error that the engine answered with: its HTTP status, and its message as it is. */
import type { Answer } from "./answer.ts";

export class EngineError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = "EngineError";
    this.status = status;
  }

  /** Reads the error from an answer: `{"message": …}`, or the body itself where a proxy answered. */
  static async from(response: Answer): Promise<EngineError> {
    const text = (await response.text()).trim();
    return new EngineError(
      response.status,
      messageOf(text) ?? (text || `the engine answered with HTTP status ${response.status}`),
    );
  }
}

function messageOf(text: string): string | undefined {
  if (!text.startsWith("{")) return undefined;
  try {
    const message: unknown = JSON.parse(text).message;
    return typeof message === "string" ? message : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined; // not JSON after all: the text itself is the message
    throw error;
  }
}
