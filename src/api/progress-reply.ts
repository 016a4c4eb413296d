/** Replies that report progress: JSON messages, one per line, including errors (moby jsonmessage). */

import type { Reply } from "./reply.ts";

export type ProgressMessage = Readonly<Record<string, unknown>>;

/** Work that reports progress. Messages are queued in memory for the client: a few hundred bytes each, and rate-limited. */
type Work = (send: (message: ProgressMessage) => void) => Promise<void>;

const encoder = new TextEncoder();

/**
 * Starts the work, and replies with its first message: a failure before that becomes an HTTP status, a later one a message, as in
 * Docker.
 */
export async function progressReply(work: Work): Promise<Reply> {
  const queue: Uint8Array[] = [];
  let isOver = false;
  let wake = Promise.withResolvers<void>();
  const send = (message: ProgressMessage): void => {
    queue.push(encoder.encode(`${JSON.stringify(message)}\r\n`));
    wake.resolve();
  };
  let failure: unknown;
  const done = work(send).then(
    () => {
      isOver = true;
      wake.resolve();
    },
    (error: unknown) => {
      failure = error ?? new Error("it failed");
      isOver = true;
      wake.resolve();
    },
  );
  await wake.promise;
  if (queue.length === 0 && failure !== undefined) {
    await done;
    throw failure;
  }
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for (;;) {
      wake = Promise.withResolvers();
      yield* queue.splice(0);
      if (isOver && queue.length === 0) break;
      if (queue.length === 0) await wake.promise;
    }
    if (failure !== undefined) {
      const message = failure instanceof Error ? failure.message : String(failure);
      yield encoder.encode(`${JSON.stringify({ errorDetail: { message }, error: message })}\r\n`);
    }
  }
  return { kind: "stream", contentType: "application/json", chunks: chunks() };
}
