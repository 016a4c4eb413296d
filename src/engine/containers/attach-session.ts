/**
 * One client on a container's stdio: bytes go through as the monitor frames them, with back-pressure and half-close both
 * ways. The engine looks at them only for the detach keys.
 */

import type { Duplex } from "node:stream";
import type { Attachment } from "../../kernel/executor.ts";
import { DetachScanner } from "./detach-keys.ts";

export interface AttachRequest {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** First what the log has. */
  readonly logs: boolean;
  /** Then what comes. */
  readonly stream: boolean;
  /** Empty: no keys detach. */
  readonly detachKeys: readonly number[];
}

/** The monitor's numbers of the streams. */
export function streamsOf(request: AttachRequest): number {
  return (request.stdin ? 1 : 0) | (request.stdout ? 2 : 0) | (request.stderr ? 4 : 0);
}

/** How a session ended: by its keys, or because one side left. */
export type Leaving = "ended" | "detached";

export interface Session {
  /** Resolves when both streams are closed. */
  readonly over: Promise<Leaving>;
  /** Resolves when the client has been given all that the container's side says; at once while it reads too slowly. */
  allPassedOn(): Promise<void>;
}

/**
 * Carries bytes until the container's side ends, the client leaves or detaches. Afterwards both streams are closed.
 *
 * @param monitor  the container's side
 * @param client   the connection to the client, paused
 * @param lastWait what must have come before the client sees the end
 */
export function relay(
  monitor: Attachment["stream"],
  client: Duplex,
  request: AttachRequest,
  lastWait: () => Promise<void> = () => Promise.resolve(),
): Session {
  const finished = Promise.withResolvers<Leaving>();
  let leaving: Leaving = "ended";
  const finish = (): void => {
    monitor.destroy();
    letGo(client);
    finished.resolve(leaving);
  };
  const session = { over: finished.promise, allPassedOn: () => allRead(monitor) };
  carry(monitor, client, (chunk) => chunk);
  monitor
    .on("end", () => void lastWait().then(finish))
    .on("error", finish)
    .on("close", () => void lastWait().then(finish));
  client.on("error", finish).on("close", finish);
  // It may have left while it was being connected: then no event will say so.
  if (client.destroyed) finish();
  if (!request.stdin) {
    client.resume(); // to notice when the client leaves; what it sends has nowhere to go
    return session;
  }
  const scanner = request.detachKeys.length === 0 ? undefined : new DetachScanner(request.detachKeys);
  carry(client, monitor, (chunk) => {
    if (scanner === undefined) return chunk;
    const { passed, detached } = scanner.scan(chunk);
    if (detached) {
      leaving = "detached";
      finish();
    }
    return passed;
  });
  client.on("end", () => monitor.end());
  if (client.readableEnded) monitor.end();
  return session;
}

/** So long a client that has all of its output may take to end its own half. */
const LAST_WORDS_MS = 5000;

/**
 * It is given what is on its way to it. What it still sends is read, for nobody: unread, its end would never be seen, and a close
 * would be an error to it.
 */
export function letGo(client: Duplex): void {
  if (client.destroyed || client.writableEnded) return;
  client.resume();
  client.end(() => setTimeout(() => client.destroy(), LAST_WORDS_MS).unref());
}

/** Resolves when `stream` has ended and what came before went on its way; or when who takes it is behind. */
function allRead(stream: Duplex): Promise<void> {
  if (stream.readableEnded || stream.destroyed || stream.isPaused()) return Promise.resolve();
  const { promise, resolve } = Promise.withResolvers<void>();
  for (const event of ["end", "error", "close", "pause"]) stream.once(event, () => resolve());
  return promise;
}

/** Each chunk through `change`; a slow reader stops the writer. */
function carry(from: Duplex, to: Duplex, change: (chunk: Uint8Array) => Uint8Array): void {
  from.on("data", (chunk: Uint8Array) => {
    const bytes = change(chunk);
    if (bytes.length === 0 || to.destroyed || to.writableEnded || to.write(bytes)) return;
    from.pause();
    to.once("drain", () => from.resume());
  });
  from.resume();
}
