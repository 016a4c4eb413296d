/**
 * One client attached to a container's stdio. Bytes pass through as the monitor frames them, with back-pressure and half-close in
 * both directions; the engine inspects them for the detach keys only.
 */

import type { Duplex } from "node:stream";
import type { Attachment } from "../../kernel/executor.ts";
import { DetachScanner } from "./detach-keys.ts";

export interface AttachRequest {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** Replay the log first. */
  readonly logs: boolean;
  /** Then stay attached for what is written from now on. */
  readonly stream: boolean;
  /** As bytes; empty: none. */
  readonly detachKeys: readonly number[];
}

/** The streams as the monitor's bit mask. */
export function streamsOf(request: AttachRequest): number {
  return (request.stdin ? 1 : 0) | (request.stdout ? 2 : 0) | (request.stderr ? 4 : 0);
}

/** How a session ended: by the detach keys, or because one side closed. */
export type SessionEnd = "ended" | "detached";

export interface Session {
  /** Resolves when both streams are closed. */
  readonly over: Promise<SessionEnd>;
  /** Resolves when the client has been sent all of the container's output; at once if the client reads too slowly. */
  allDelivered(): Promise<void>;
}

/**
 * Relays bytes until the container's side ends, or the client closes or detaches. Afterwards both streams are closed.
 *
 * @param monitor  the container's side
 * @param client   the connection to the client, paused
 * @param lastWait is awaited before the client's stream is closed at the end
 */
export function relay(
  monitor: Attachment["stream"],
  client: Duplex,
  request: AttachRequest,
  lastWait: () => Promise<void> = () => Promise.resolve(),
): Session {
  const finished = Promise.withResolvers<SessionEnd>();
  let end: SessionEnd = "ended";
  const finish = (): void => {
    monitor.destroy();
    closeGracefully(client);
    finished.resolve(end);
  };
  const session = { over: finished.promise, allDelivered: () => allRead(monitor) };
  pipe(monitor, client, (chunk) => chunk);
  monitor
    .on("end", () => void lastWait().then(finish))
    .on("error", finish)
    .on("close", () => void lastWait().then(finish));
  client.on("error", finish).on("close", finish);
  // If the client closed while it was being connected, no event follows.
  if (client.destroyed) finish();
  if (!request.stdin) {
    client.resume(); // its input is discarded, but must be read for its close to be noticed
    return session;
  }
  const scanner = request.detachKeys.length === 0 ? undefined : new DetachScanner(request.detachKeys);
  pipe(client, monitor, (chunk) => {
    if (scanner === undefined) return chunk;
    const { passed, detached } = scanner.scan(chunk);
    if (detached) {
      end = "detached";
      finish();
    }
    return passed;
  });
  client.on("end", () => monitor.end());
  if (client.readableEnded) monitor.end();
  return session;
}

/** How long a client that has been sent everything may take to close its own half. */
const CLOSE_TIMEOUT_MS = 5000;

/**
 * Closes a client's connection after what was written to it has been sent. What the client still sends is read and discarded: otherwise
 * its end would not be noticed, and closing a socket with unread data would reset the connection.
 */
export function closeGracefully(client: Duplex): void {
  if (client.destroyed || client.writableEnded) return;
  client.resume();
  client.end(() => setTimeout(() => client.destroy(), CLOSE_TIMEOUT_MS).unref());
}

/** Resolves when `stream` has been read to its end, or is paused because its reader is too slow. */
function allRead(stream: Duplex): Promise<void> {
  if (stream.readableEnded || stream.destroyed || stream.isPaused()) return Promise.resolve();
  const { promise, resolve } = Promise.withResolvers<void>();
  for (const event of ["end", "error", "close", "pause"]) stream.once(event, () => resolve());
  return promise;
}

/** Pipes `from` to `to` through `change`, with back-pressure. */
function pipe(from: Duplex, to: Duplex, change: (chunk: Uint8Array) => Uint8Array): void {
  from.on("data", (chunk: Uint8Array) => {
    const bytes = change(chunk);
    if (bytes.length === 0 || to.destroyed || to.writableEnded || to.write(bytes)) return;
    from.pause();
    to.once("drain", () => from.resume());
  });
  from.resume();
}
