/** A connection taken over from HTTP: what follows the head is a byte stream both ways, each way ended on its own. */

import type { Socket } from "node:net";
import { log } from "../base/log.ts";
import { hasHungUp } from "../platform/hang-up.ts";
import type { Reply } from "./reply.ts";
import { WebSocketStream } from "./websocket-stream.ts";

type Hijack = Extract<Reply, { kind: "hijack" }>;

/** @param status "101 UPGRADED" for a client that asked for it, "200 OK" for an older one that just goes on */
export async function hijack(socket: Socket, reply: Hijack, status: "101 UPGRADED" | "200 OK"): Promise<void> {
  takeOver(socket);
  // One write with the first that the route says, which has a protocol of its own: it uncorks.
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

/** As `hijack`, with a WebSocket's handshake and frames around the bytes. */
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

/** The HTTP parser would read on, and end the connection with the client's half of it. */
export function takeOver(socket: Socket): void {
  for (const event of ["data", "end", "drain", "timeout"]) socket.removeAllListeners(event);
  socket.pause();
  closeWithClient(socket);
}

/** How soon it is noticed that a client has left that had ended its half before. */
const LOOK_MS = 1000;

/**
 * When the client has left, the connection is closed on our side, too. A stream does not say that of one who has sent its last
 * before, and may stay for the answer; nor while nobody reads what it sends (before a start, or because the program does not).
 */
function closeWithClient(socket: Socket): void {
  const look = (): void => {
    if (hasHungUp(socket)) socket.destroy();
  };
  let timer: ReturnType<typeof setInterval> | undefined;
  const begin = (): void => {
    timer ??= setInterval(look, LOOK_MS).unref();
  };
  const rest = (): void => {
    clearInterval(timer);
    timer = undefined;
  };
  const resumed = (): void => {
    if (!socket.readableEnded) rest();
  };
  socket.on("pause", begin).on("end", begin).on("resume", resumed).once("close", rest);
  begin();
  look();
}

/** An upgrade that leads nowhere: the answer in full, as node:http has let go of the connection. */
export function refuseUpgrade(socket: Socket, reply: Exclude<Reply, Hijack>): void {
  const [status, body] = reply.kind === "json" ? [reply.status, JSON.stringify(reply.value)] : [400, "{}"];
  socket.end(
    `HTTP/1.1 ${status} Refused\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
