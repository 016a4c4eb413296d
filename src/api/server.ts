/**
 * The HTTP server: passes requests to routes and writes their replies. node:http parses HTTP; node:net accepts the connections, so that
 * they can come from an inherited listening socket and can be hijacked (attach).
 */

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createListener, type Server, type Socket } from "node:net";
import { drained } from "../base/drained.ts";
import { OrlopError } from "../base/errors.ts";
import { log } from "../base/log.ts";
import type { Engine } from "../engine/engine.ts";
import { acceptKey } from "../spec/websocket.ts";
import { dropBody, parseJson, readJson } from "./body.ts";
import { answerWith, type DirectAnswer, type DirectRequest } from "./direct.ts";
import { hijack, hijackWebSocket, refuseUpgrade, takeOver } from "./hijack.ts";
import { errorReply } from "./http-error.ts";
import type { Reply } from "./reply.ts";
import type { Call, Route, RunCommand } from "./route.ts";
import { type Match, Router } from "./router.ts";

/** Sent with every response, as in Docker: clients negotiate the API version by them. */
const commonHeaders = { Server: "Orlop (linux)", "Api-Version": "1.51", Ostype: "linux" } as const;

/** For so long after the last request a client may be between two requests that belong together, e.g. creating and starting an exec. */
const IDLE_AFTER_MS = 5000;

export class ApiServer {
  readonly #engine: Engine;
  readonly #router: Router;
  readonly #listener: Server;
  /** Connections with a request under way, and new ones without a request yet. */
  readonly #busy = new Set<Socket>();
  /** The number of hijacked connections that are not closed yet. */
  #hijacked = 0;
  #servedAtMs = 0;
  readonly #runCommand: RunCommand | undefined;
  readonly #noteWork: (() => void) | undefined;

  /**
   * @param runCommand  runs an `orlop` command for the client of a connection
   * @param noteWork  called at the beginning and at the end of each request
   */
  constructor(engine: Engine, routes: readonly Route[], runCommand?: RunCommand, noteWork?: () => void) {
    this.#engine = engine;
    this.#noteWork = noteWork;
    this.#runCommand = runCommand;
    this.#router = new Router(routes);
    const http = createServer((request, response) => void this.#serve(request, response));
    http.on("upgrade", (request: IncomingMessage, socket: Socket, head: Uint8Array) => {
      void this.#upgrade(request, socket, head);
    });
    http.on("clientError", (error, socket) => refuseBytes(error, socket as Socket));
    // No timeouts: the socket is local, and its clients are root's.
    http.keepAliveTimeout = 0;
    http.requestTimeout = 0;
    http.headersTimeout = 0;
    this.#listener = createListener({ allowHalfOpen: true }, (socket) => {
      this.#busy.add(socket);
      socket.on("close", () => this.#recordServed(socket));
      http.emit("connection", socket);
    });
  }

  /** Listens on an inherited descriptor or a path. */
  listen(where: { readonly fd: number } | { readonly path: string }): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#listener.once("error", reject);
      this.#listener.listen(where, resolve);
    });
  }

  /** Whether no client is being served, or was within the last seconds. */
  get isIdle(): boolean {
    const isServing = this.#busy.size > 0 || this.#hijacked > 0;
    return !isServing && performance.now() - this.#servedAtMs >= IDLE_AFTER_MS;
  }

  /** Stops accepting. Connections in the socket's backlog are left to the next engine. */
  close(): void {
    this.#listener.close();
  }

  /** Answers a request from inside this process. Rejects only when `signal` is aborted. */
  async answer(request: DirectRequest, signal: AbortSignal): Promise<DirectAnswer> {
    signal.throwIfAborted();
    const headers = new Map(Object.entries(request.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]));
    const reply = await this.#reply(request.method, request.target, (match) => ({
      header: (name) => headers.get(name),
      body:
        match.route.body === true
          ? parseJson(request.body ?? new Uint8Array(0), headers.get("content-type"))
          : undefined,
      upload: request.stream ?? none(),
      signal,
    }));
    if (signal.aborted) drop(reply);
    signal.throwIfAborted();
    return answerWith(reply, signal);
  }

  #recordServed(socket: Socket): void {
    this.#busy.delete(socket);
    this.#servedAtMs = performance.now();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const socket = request.socket as Socket;
    this.#busy.add(socket);
    const left = new AbortController();
    let isAnswered = false;
    response.on("close", () => {
      this.#noteWork?.();
      if (!isAnswered) left.abort(); // only then, because aborting creates an Error, which costs time
      if (!socket.destroyed) this.#recordServed(socket);
    });
    const reply = await this.#replyTo(request, left.signal);
    isAnswered = reply.kind === "json" || reply.kind === "text";
    if (reply.kind === "hijack" && reply.webSocket !== undefined) {
      drop(reply);
      await send(response, noWebSocket(), false, left.signal);
    } else if (reply.kind === "hijack") await this.#countHijacked(hijack(socket, reply, "200 OK"));
    else await send(response, reply, request.method === "HEAD", left.signal);
  }

  async #upgrade(request: IncomingMessage, socket: Socket, head: Uint8Array): Promise<void> {
    takeOver(socket); // before its body is read
    if (head.length > 0) socket.unshift(head);
    const left = new AbortController();
    socket.on("close", () => {
      this.#noteWork?.();
      left.abort();
    });
    const reply = await this.#replyTo(request, left.signal, socket);
    if (reply.kind !== "hijack") return refuseUpgrade(socket, reply);
    if (reply.webSocket === undefined) return this.#countHijacked(hijack(socket, reply, "101 UPGRADED"));
    const accept = acceptKey(request.headers["sec-websocket-key"] ?? "");
    if (request.headers.upgrade?.toLowerCase() !== "websocket" || accept === undefined) {
      drop(reply);
      return refuseUpgrade(socket, noWebSocket());
    }
    return hijackWebSocket(socket, reply, accept, reply.webSocket.framed);
  }

  async #countHijacked(taken: Promise<void>): Promise<void> {
    this.#hijacked++;
    await taken;
    this.#hijacked--;
    this.#servedAtMs = performance.now();
  }

  #replyTo(request: IncomingMessage, signal: AbortSignal, upgrade?: Socket): Promise<Reply> {
    return this.#reply(request.method ?? "", request.url ?? "", async ({ route }) => {
      // Requests from web pages are refused: a browser on the machine must not control the engine.
      if (request.headers.origin !== undefined)
        throw OrlopError.of("origin_refused", { origin: request.headers.origin });
      const body = route.body === true ? await readJson(request, upgrade) : undefined;
      if (route.body === false && upgrade !== undefined) await dropBody(request, upgrade);
      const header = (name: string): string | undefined => request.headers[name]?.toString();
      return { header, body, upload: request, signal };
    });
  }

  /** Never rejects: an error becomes a reply. */
  async #reply(method: string, target: string, open: (match: Match) => Incoming | Promise<Incoming>): Promise<Reply> {
    this.#noteWork?.();
    try {
      const match = this.#router.match(method, target);
      const { route, params, query, apiMinor } = match;
      const { header, body, upload, signal } = await open(match);
      const values = Object.fromEntries(
        Object.entries(route.query).map(([name, parse]) => [
          name,
          parse(query.get(name) ?? undefined, name, query.getAll(name)),
        ]),
      );
      const call = {
        params,
        query: values,
        body,
        upload,
        engine: this.#engine,
        signal,
        accept: header("accept") ?? "",
        registryAuth: header("x-registry-auth"),
        runCommand: this.#runCommand,
        protocol: header("upgrade"),
        apiMinor,
      };
      return await route.handle(call as unknown as Call<never, never>);
    } catch (error) {
      return errorReply(error);
    }
  }
}

/** The headers and the body of a request. */
interface Incoming {
  readonly header: (name: string) => string | undefined;
  /** The parsed JSON, if the route takes any. */
  readonly body: unknown;
  readonly upload: AsyncIterable<Uint8Array>;
  readonly signal: AbortSignal;
}

async function* none(): AsyncGenerator<Uint8Array, void> {
  // a request without a stream
}

function drop(reply: Reply): void {
  if (reply.kind === "hijack") reply.drop?.();
}

function noWebSocket(): Exclude<Reply, { kind: "hijack" }> {
  return { kind: "json", status: 400, value: { message: "this is for WebSockets: the handshake of one is missing" } };
}

/** Answers bytes that are not HTTP, or a head that is too long, and closes the connection. */
function refuseBytes(error: Error & { readonly code?: string }, socket: Socket): void {
  if (!socket.writable) return void socket.destroy();
  const status = error.code === "HPE_HEADER_OVERFLOW" ? "431 Request Header Fields Too Large" : "400 Bad Request";
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () => socket.destroy());
}

async function send(
  response: ServerResponse,
  reply: Exclude<Reply, { kind: "hijack" }>,
  isHead: boolean,
  signal: AbortSignal,
): Promise<void> {
  switch (reply.kind) {
    case "json":
    case "text": {
      const text = reply.kind === "text" ? reply.text : `${JSON.stringify(reply.value)}\n`;
      const type = reply.kind === "text" ? "text/plain; charset=utf-8" : "application/json";
      response.writeHead(reply.status, {
        ...commonHeaders,
        ...(text === "" ? {} : { "Content-Type": type, "Content-Length": Buffer.byteLength(text) }),
        ...reply.headers,
      });
      response.end(isHead ? undefined : text);
      return;
    }
    case "later":
      response.writeHead(200, { ...commonHeaders, "Content-Type": "application/json" });
      response.flushHeaders();
      try {
        endAtOnce(response, await reply.value);
      } catch (error) {
        if (!signal.aborted) endAtOnce(response, { StatusCode: 0, Error: { Message: String(error) } });
      }
      return;
    case "stream":
      response.writeHead(200, { ...commonHeaders, "Content-Type": reply.contentType, ...reply.headers });
      response.flushHeaders();
      await sendChunks(response, reply.chunks, signal);
  }
}

/** Writes the last chunk and the end at once: otherwise the client is woken four times. */
function endAtOnce(response: ServerResponse, value: unknown): void {
  response.cork();
  response.end(`${JSON.stringify(value)}\n`);
  response.uncork();
}

/** Writes with back-pressure. After an error the connection is destroyed, so that the client does not take the response for complete. */
async function sendChunks(
  response: ServerResponse,
  chunks: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  try {
    for await (const chunk of chunks) {
      if (signal.aborted) return;
      if (!response.write(chunk)) await drained(response);
    }
    response.end();
  } catch (error) {
    if (!signal.aborted) log("warn", "an answer was broken off", error);
    response.destroy();
  }
}
