/** A container's input and output as clients have them: attached before or after the start, and its log. */

import type { Duplex } from "node:stream";
import { drained } from "../../base/drained.ts";
import { OrlopError } from "../../base/errors.ts";
import { settlesWithin } from "../../base/in-time.ts";
import type { ContainerCreateBody } from "../../spec/engine-api-container.ts";
import { type LogQuery, readLog } from "../logs/log-reader.ts";
import { logSettingsOf } from "../logs/log-settings.ts";
import { type AttachRequest, letGo, relay, type Session, streamsOf } from "./attach-session.ts";
import type { ContainerProcess } from "./container-process.ts";

/** So long the end of a program waits for its output to be on its way, should the monitor not say that there is no more. */
const OUTPUT_PATIENCE_MS = 2000;

/** A client that wants to be connected. */
export interface Arrival {
  readonly client: Duplex;
  readonly request: AttachRequest;
  readonly done: PromiseWithResolvers<void>;
}

/** What the container is like at this moment. */
export interface IoSource {
  readonly body: ContainerCreateBody;
  readonly logPath: string;
  /** undefined while none runs. */
  readonly process: ContainerProcess | undefined;
  /** It will not start again. */
  readonly isLeaving: boolean;
  /** Of what clients do. */
  readonly tell: (action: "attach" | "detach") => void;
}

export class ContainerIo {
  readonly #source: () => IoSource;
  /** Clients that came before the start. */
  readonly #arrivals = new Set<Arrival>();
  readonly #sessions = new Set<Session>();

  constructor(source: () => IoSource) {
    this.#source = source;
  }

  /** The clients that wait for the start, which is about to happen or never will. */
  takeArrivals(): Arrival[] {
    const arrivals = [...this.#arrivals];
    this.#arrivals.clear();
    return arrivals;
  }

  /** Resolves when the client or the container has left. */
  async attach(request: AttachRequest, client: Duplex): Promise<void> {
    const arrival: Arrival = { client, request, done: Promise.withResolvers() };
    const { process, isLeaving, tell } = this.#source();
    tell("attach");
    if (process !== undefined) {
      await this.#connect(process, arrival);
    } else if (request.stream && !isLeaving) {
      // The client will start the container, and must not miss its first line.
      if (client.destroyed) return;
      this.#arrivals.add(arrival);
      client.once("close", () => {
        if (this.#arrivals.delete(arrival)) arrival.done.resolve();
      });
    } else {
      if (request.logs) await this.#replay(request, client, undefined);
      letGo(client);
      return;
    }
    await arrival.done.promise;
  }

  /** Clients are connected before the program runs, so that nothing it says is lost. Opens the gate. */
  async letIn(process: ContainerProcess, arrivals: readonly Arrival[]): Promise<void> {
    try {
      await Promise.all(arrivals.map((arrival) => this.#connect(process, arrival)));
    } catch (error) {
      // When a step of the child failed, its monitor has left, and the reason is the step.
      await process.link.started;
      throw error;
    }
    process.link.go();
  }

  /** No start came of it. */
  dismiss(arrivals: readonly Arrival[]): void {
    for (const { client, done } of arrivals) {
      letGo(client);
      done.resolve();
    }
  }

  /**
   * What clients should have before they hear that the program has ended: its output, whose end its monitor tells first.
   * Clients that do not read are not waited for.
   */
  async outputPassedOn(): Promise<void> {
    if (this.#sessions.size === 0) return;
    const passed = Promise.all(Array.from(this.#sessions, (session) => session.allPassedOn()));
    await settlesWithin(passed, OUTPUT_PATIENCE_MS);
  }

  /** The log as clients see it: framed, or raw with a terminal. @throws {OrlopError} logs_unreadable */
  logs(query: LogQuery, signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
    const { body, logPath } = this.#source();
    const { driver } = logSettingsOf(body.HostConfig.LogConfig);
    if (driver === "none") throw OrlopError.of("logs_unreadable", {});
    const growth = () => this.#source().process?.link.watchLog();
    return readLog({ driver, path: logPath, framed: !body.Tty, growth }, query, signal);
  }

  /** Resolves once the client is connected; `arrival.done` when it is over. */
  async #connect(process: ContainerProcess, { client, request, done }: Arrival): Promise<void> {
    const attachment = await process.attach(streamsOf(request), request.logs);
    if (request.logs) await this.#replay(request, client, attachment);
    if (!request.stream) {
      letGo(client);
      attachment.stream.destroy();
      done.resolve();
      return;
    }
    const session = relay(attachment.stream, client, request);
    this.#sessions.add(session);
    void session.over.then((how) => {
      this.#sessions.delete(session);
      if (how === "detached") this.#source().tell("detach");
      done.resolve();
    });
  }

  /** What the log has, up to where `until` begins. */
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
