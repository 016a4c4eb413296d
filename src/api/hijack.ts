/** Takes a connection over from HTTP: after the response head it is a byte stream in both directions, with half-close. */

import type { Socket } from "node:net";
import { log } from "../base/log.ts";
import { hasHungUp } from "../platform/hang-up.ts";
import type { Reply } from "./reply.ts";
import { WebSocketStream } from "./websocket-stream.ts";

type Hijack = Extract<Reply, { kind: "hijack" }>;

/** @param status "101 UPGRADED" for a client that sent an Upgrade header, "200 OK" for an older one that did not */
export async function hijack(socket: Socket, reply: Hijack, status: "101 UPGRADED" | "200 OK"): Promise<void> {
  takeOver(socket);
  // A route with a protocol of its own uncorks with its first message: head and message are one write.
  if (reply.protocol !== undefined) socket.cork();
  const upgrade = status === "101 UPGRADED" ? `Connection: Upgrade\r\nUpgrade: ${reply.protocol ?? "tcp"}\r\n` : "";
  socket.write(`HTTP/1.1 ${status}\r\nContent-Type: ${reply.contentType}\r\n${upgrade}\r\n`);
  try {
    await reply.take(socket);
  } catch (error) {
    log("warn", "an attached client was lost", error);
    socket.destroy();
  }
}

/** As `hijack`, with a WebSocket handshake and WebSocket frames. */
export async function hijackWebSocket(socket: Socket, reply: Hijack, accept: string, framed: boolean): Promise<void> {
  takeOver(socket);
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  const stream = new WebSocketStream(socket, framed);
  try {
    await reply.take(stream);
  } catch (error) {
    log("warn", "an attached client was lost", error);
    stream.destroy();
  }
}

/** Detaches the HTTP parser, which would go on reading, and close the connection when the client half-closes. */
export function takeOver(socket: Socket): void {
  for (const event of ["data", "end", "drain", "timeout"]) socket.removeAllListeners(event);
  socket.pause();
  closeWithClient(socket);
}

/** How often connections are checked for clients that have closed. */
const CHECK_MS = 1000;

/**
 * Destroys the connection when the client has closed it. The stream emits no event for that after a half-close of the client, nor while
 * its input is not read (before a start, or because the program does not read): then the socket is polled.
 */
function closeWithClient(socket: Socket): void {
  const check = (): void => {
    if (hasHungUp(socket)) socket.destroy();
  };
  let timer: ReturnType<typeof setInterval> | undefined;
  const begin = (): void => {
    timer ??= setInterval(check, CHECK_MS).unref();
  };
  const end = (): void => {
    clearInterval(timer);
    timer = undefined;
  };
  const resumed = (): void => {
    if (!socket.readableEnded) end();
  };
  socket.on("pause", begin).on("end", begin).on("resume", resumed).once("close", end);
  begin();
  check();
}

/** Answers an upgrade request with an error. The response is written by hand, because node:http has detached from the connection. */
export function refuseUpgrade(socket: Socket, reply: Exclude<Reply, Hijack>): void {
  const [status, body] = reply.kind === "json" ? [reply.status, JSON.stringify(reply.value)] : [400, "{}"];
  socket.end(
    `HTTP/1.1 ${status} Refused\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
