/** An engine whose one container does what the test says: to see what the command line asks, and when. */

import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeAttachFrame } from "../../src/spec/attach-frame.ts";

/** The container's side of one attach connection. */
export interface Attached {
  readonly query: URLSearchParams;
  stdout(text: string | Uint8Array): void;
  stderr(text: string): void;
  /** What came in so far, and whether the client has ended it. */
  readonly input: { text: string; ended: boolean };
  /** The output ends, as at the container's exit. */
  end(): void;
}

export interface Behaviour {
  /** Called when the client starts the container. The answer is an error's status and message, or nothing. */
  readonly onStart?: (engine: FakeEngine) => { status: number; message: string } | undefined;
  readonly onAttach?: (attached: Attached, engine: FakeEngine) => void;
  readonly onInput?: (attached: Attached, engine: FakeEngine) => void;
  readonly onKill?: (signal: string, engine: FakeEngine) => void;
  readonly onWait?: (engine: FakeEngine) => { status: number; message: string } | undefined;
  readonly warnings?: readonly string[];
  /** The container's state, for inspect; running unless said. */
  readonly status?: (engine: FakeEngine) => "created" | "running" | "exited";
  /** What the container has written, for logs. */
  readonly log?: () => string;
}

export class FakeEngine {
  readonly directory = mkdtempSync(join(tmpdir(), "orlop-cli-"));
  readonly socketPath = join(this.directory, "engine.sock");
  /** "POST /containers/create?name=x", in order of arrival. */
  readonly requests: string[] = [];
  /** Bodies of create requests. */
  readonly created: unknown[] = [];
  readonly attached: Attached[] = [];
  readonly #behaviour: Behaviour;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #waits: ServerResponse[] = [];

  constructor(behaviour: Behaviour = {}) {
    this.#behaviour = behaviour;
    this.#server = createServer((request, response) => void this.#answer(request, response));
    this.#server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
      socket.on("error", () => socket.destroy());
    });
    this.#server.on("upgrade", (request, socket) => this.#attach(request, socket as Socket));
  }

  listen(): Promise<this> {
    return new Promise((resolve) => this.#server.listen(this.socketPath, () => resolve(this)));
  }

  /** The container exits: its output ends, and whoever waits is told. */
  exit(code: number): void {
    for (const attached of this.attached) attached.end();
    for (const wait of this.#waits.splice(0)) wait.end(JSON.stringify({ StatusCode: code }));
  }

  /** As kill -9 of the engine looks from outside: every connection is cut. */
  die(): void {
    this.attached.length = 0;
    this.#waits = [];
    for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.die();
    await new Promise((resolve) => this.#server.close(resolve));
    rmSync(this.directory, { recursive: true });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = this.#note(request);
    let text = "";
    for await (const chunk of request) text += chunk;
    const send = (status: number, body?: unknown) => {
      response.writeHead(status, { "Content-Type": "application/json" });
      response.end(body === undefined ? undefined : JSON.stringify(body));
    };
    const refusal = (error: { status: number; message: string } | undefined) =>
      error === undefined ? send(204) : send(error.status, { message: error.message });
    const verb = url.pathname.split("/").pop();
    if (verb === "create") {
      this.created.push(JSON.parse(text));
      send(201, { Id: "c0ffee", Warnings: this.#behaviour.warnings ?? [] });
    } else if (verb === "start") refusal(this.#behaviour.onStart?.(this));
    else if (verb === "kill") {
      this.#behaviour.onKill?.(url.searchParams.get("signal") ?? "", this);
      send(204);
    } else if (verb === "wait") {
      const error = this.#behaviour.onWait?.(this);
      if (error !== undefined) return refusal(error);
      response.writeHead(200, { "Content-Type": "application/json" });
      response.flushHeaders();
      this.#waits.push(response);
    } else if (verb === "json")
      send(200, { Id: "c0ffee", State: { Status: this.#behaviour.status?.(this) ?? "running" } });
    else if (verb === "logs") response.end(encodeAttachFrame(1, Buffer.from(this.#behaviour.log?.() ?? "")));
    else send(404, { message: "page not found" });
  }

  #attach(request: IncomingMessage, socket: Socket): void {
    const url = this.#note(request);
    socket.write("HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n");
    const input = { text: "", ended: false };
    const attached: Attached = {
      query: url.searchParams,
      input,
      stdout: (bytes) => void socket.write(encodeAttachFrame(1, Buffer.from(bytes as string))),
      stderr: (text) => void socket.write(encodeAttachFrame(2, Buffer.from(text))),
      end: () => void socket.end(),
    };
    this.attached.push(attached);
    socket.on("data", (bytes) => {
      input.text += bytes;
      this.#behaviour.onInput?.(attached, this);
    });
    socket.on("end", () => {
      input.ended = true;
      this.#behaviour.onInput?.(attached, this);
    });
    this.#behaviour.onAttach?.(attached, this);
  }

  #note(request: IncomingMessage): URL {
    this.requests.push(`${request.method} ${request.url}`);
    return new URL(request.url ?? "", "http://orlop");
  }
}
