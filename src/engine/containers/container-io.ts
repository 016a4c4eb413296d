/** A container's stdio for clients: attaching before and after the start, and reading the log. */

import type { Duplex } from "node:stream";
import { drained } from "../../base/drained.ts";
import { OrlopError } from "../../base/errors.ts";
import { settlesWithin } from "../../base/in-time.ts";
import type { Attachment } from "../../kernel/executor.ts";
import type { ContainerCreateBody } from "../../spec/engine-api-container.ts";
import { type LogQuery, readLog } from "../logs/log-reader.ts";
import { logSettingsOf } from "../logs/log-settings.ts";
import { type AttachRequest, closeGracefully, relay, type Session, streamsOf } from "./attach-session.ts";
import type { ContainerProcess } from "./container-process.ts";

/** How long the end of a program is held back for its output, should the monitor not close the attachments. */
const OUTPUT_TIMEOUT_MS = 2000;

/** A client that is to be attached. */
export interface WaitingClient {
  readonly client: Duplex;
  readonly request: AttachRequest;
  readonly done: PromiseWithResolvers<void>;
}

/** An attachment whose client has not been told yet that it is attached. */
export interface OpenedAttachment {
  /** Resolves when the client or the container has left. */
  enter(client: Duplex): Promise<void>;
  /** There is no client after all. */
  drop(): void;
}

/** The container's state at this moment. */
export interface IoSource {
  readonly body: ContainerCreateBody;
  readonly logPath: string;
  /** undefined while none runs. */
  readonly process: ContainerProcess | undefined;
  /** It is being removed, and will not start again. */
  readonly isRemoving: boolean;
  readonly publish: (action: "attach" | "detach") => void;
}

export class ContainerIo {
  readonly #source: () => IoSource;
  /** Clients that have attached before the start. */
  readonly #waiting = new Set<WaitingClient>();
  readonly #sessions = new Set<Session>();

  constructor(source: () => IoSource) {
    this.#source = source;
  }

  /** The clients that have attached before the start. The caller connects them (`connectAndOpenGate`) or ends them (`dismiss`). */
  takeWaitingClients(): WaitingClient[] {
    const clients = [...this.#waiting];
    this.#waiting.clear();
    return clients;
  }

  /** As `Container.attach`. */
  async attach(request: AttachRequest): Promise<OpenedAttachment> {
    // A monitor that has just exited accepts nobody: `#enter` finds out what has become of the container.
    const attachment = await this.#source()
      .process?.attach(streamsOf(request), request.logs)
      .catch(() => undefined);
    return {
      enter: (client) => this.#enter(request, client, attachment),
      drop: () => void attachment?.stream.destroy(),
    };
  }

  async #enter(request: AttachRequest, client: Duplex, attachment: Attachment | undefined): Promise<void> {
    const waiting: WaitingClient = { client, request, done: Promise.withResolvers() };
    const { process, isRemoving, publish } = this.#source();
    publish("attach");
    if (attachment !== undefined) {
      await this.#connect(attachment, waiting);
    } else if (process !== undefined) {
      await this.#connect(await process.attach(streamsOf(request), request.logs), waiting);
    } else if (request.stream && !isRemoving) {
      // The client is about to start the container, and must not miss its first line.
      if (client.destroyed) return;
      this.#waiting.add(waiting);
      client.once("close", () => {
        if (this.#waiting.delete(waiting)) waiting.done.resolve();
      });
    } else {
      if (request.logs) await this.#replay(request, client, undefined);
      closeGracefully(client);
      return;
    }
    await waiting.done.promise;
  }

  /** Connects the clients, then lets the program run: in this order, so that none of its output is missed. */
  async connectAndOpenGate(process: ContainerProcess, clients: readonly WaitingClient[]): Promise<void> {
    try {
      await Promise.all(
        clients.map(async (waiting) => {
          const { request } = waiting;
          await this.#connect(await process.attach(streamsOf(request), request.logs), waiting);
        }),
      );
    } catch (error) {
      // If a step of the child failed, its monitor has exited; the step is the error to report.
      await process.link.started;
      throw error;
    }
    process.link.go();
  }

  /** Ends the connections of clients whose container was not started. */
  dismiss(clients: readonly WaitingClient[]): void {
    for (const { client, done } of clients) {
      closeGracefully(client);
      done.resolve();
    }
  }

  /**
   * Resolves when attached clients have been sent all of the output, which is to precede the news of the exit. The monitor closes the
   * attachments before it reports the exit. Clients that do not read are not waited for.
   */
  async outputDelivered(): Promise<void> {
    if (this.#sessions.size === 0) return;
    const passed = Promise.all(Array.from(this.#sessions, (session) => session.allDelivered()));
    await settlesWithin(passed, OUTPUT_TIMEOUT_MS);
  }

  /** As `Container.logs`. @throws {OrlopError} logs_unreadable */
  logs(query: LogQuery, signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
    const { body, logPath } = this.#source();
    const { driver } = logSettingsOf(body.HostConfig.LogConfig);
    if (driver === "none") throw OrlopError.of("logs_unreadable", {});
    const growth = () => this.#source().process?.link.watchLog();
    return readLog({ driver, path: logPath, framed: !body.Tty, growth }, query, signal);
  }

  /** Resolves once the client is connected; `done` resolves when the session is over. */
  async #connect(attachment: Attachment, { client, request, done }: WaitingClient): Promise<void> {
    if (request.logs) await this.#replay(request, client, attachment);
    if (!request.stream) {
      closeGracefully(client);
      attachment.stream.destroy();
      done.resolve();
      return;
    }
    const session = relay(attachment.stream, client, request);
    this.#sessions.add(session);
    void session.over.then((how) => {
      this.#sessions.delete(session);
      if (how === "detached") this.#source().publish("detach");
      done.resolve();
    });
  }

  /** Sends what the log has, up to the position from which the monitor's attachment goes on (`until`). */
  async #replay(
    request: AttachRequest,
    client: Duplex,
    until: { readonly inode: bigint; readonly offset: bigint } | undefined,
  ): Promise<void> {
    const query: LogQuery = {
      stdout: request.stdout,
      stderr: request.stderr,
      follow: false,
      ...(until ? { until } : {}),
    };
    for await (const bytes of this.logs(query, new AbortController().signal))
      if (!client.destroyed && !client.write(bytes)) await drained(client);
  }
}
