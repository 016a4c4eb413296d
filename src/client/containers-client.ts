/** Containers over the Engine API. */
import { AttachedContainer, type AttachStreams } from "./attach.ts";
import type {
  ContainerChange,
  ContainerCreate,
  ContainerCreated,
  ContainerExit,
  ContainerInspection,
  ContainerSummary,
  ContainersPruned,
  WaitCondition,
} from "./container-types.ts";
import type { EngineClient } from "./engine-client.ts";
import type { ExplainedPlan } from "./explained-plan.ts";
import { readLines } from "./json-lines.ts";
import { type PathStatus, readPathStatus } from "./path-status.ts";
import type { StatsFrame } from "./stats-types.ts";

export interface ProcessTable {
  readonly Titles: readonly string[];
  readonly Processes: readonly (readonly string[])[];
}

export interface LogsQuery {
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly follow?: boolean;
  readonly timestamps?: boolean;
  readonly details?: boolean;
  /** Unix time in seconds, with a fraction if need be. */
  readonly since?: string;
  readonly until?: string;
  /** Lines from the end, or "all". */
  readonly tail?: string;
}

export class ContainersClient {
  readonly #engine: EngineClient;

  constructor(engine: EngineClient) {
    this.#engine = engine;
  }

  create(config: ContainerCreate, name?: string, platform?: string): Promise<ContainerCreated> {
    return this.#engine.json({ method: "POST", path: "/containers/create", query: { name, platform }, json: config });
  }

  /** The plan that a start of this container would be. Nothing is made. */
  explain(config: ContainerCreate): Promise<ExplainedPlan> {
    return this.#engine.json({ method: "POST", path: "/orlop/explain", json: config });
  }

  start(id: string, detachKeys?: string): Promise<void> {
    return this.#engine.done({ method: "POST", path: pathOf(id, "start"), query: { detachKeys } });
  }

  /** Sends a signal; a name ("HUP") or a number. */
  kill(id: string, signal?: string): Promise<void> {
    return this.#engine.done({ method: "POST", path: pathOf(id, "kill"), query: { signal } });
  }

  /** @param timeoutSeconds  until it is killed; -1: never */
  stop(id: string, timeoutSeconds?: number, signal?: string): Promise<void> {
    return this.#engine.done({ method: "POST", path: pathOf(id, "stop"), query: { t: timeoutSeconds, signal } });
  }

  pause(id: string): Promise<void> {
    return this.#engine.done({ method: "POST", path: pathOf(id, "pause") });
  }

  unpause(id: string): Promise<void> {
    return this.#engine.done({ method: "POST", path: pathOf(id, "unpause") });
  }

  rename(id: string, name: string): Promise<void> {
    return this.#engine.done({ method: "POST", path: pathOf(id, "rename"), query: { name } });
  }

  restart(id: string, timeoutSeconds?: number, signal?: string): Promise<void> {
    return this.#engine.done({ method: "POST", path: pathOf(id, "restart"), query: { t: timeoutSeconds, signal } });
  }

  /** Changes only what is given. */
  update(id: string, change: ContainerChange): Promise<{ readonly Warnings: readonly string[] | null }> {
    return this.#engine.json({ method: "POST", path: pathOf(id, "update"), json: change });
  }

  /** @param options link: not the container, but this name of it, which a link of another one gives: "web/db" */
  remove(
    id: string,
    options: { readonly force?: boolean; readonly volumes?: boolean; readonly link?: boolean } = {},
  ): Promise<void> {
    const query = { force: options.force, v: options.volumes, link: options.link };
    return this.#engine.done({ method: "DELETE", path: `/containers/${encodeURIComponent(id)}`, query });
  }

  /** @param filters  e.g. { status: ["running"] } */
  list(
    options: {
      readonly all?: boolean;
      readonly limit?: number;
      readonly size?: boolean;
      readonly filters?: Readonly<Record<string, readonly string[]>>;
    } = {},
  ): Promise<readonly ContainerSummary[]> {
    const filters = options.filters === undefined ? undefined : JSON.stringify(options.filters);
    return this.#engine.json({
      method: "GET",
      path: "/containers/json",
      query: { all: options.all, limit: options.limit, size: options.size, filters },
    });
  }

  /** Its processes, with the columns that these options of ps ask for. */
  top(id: string, psArguments: string): Promise<ProcessTable> {
    const query = { ps_args: psArguments === "" ? undefined : psArguments };
    return this.#engine.json({ method: "GET", path: pathOf(id, "top"), query });
  }

  inspect(id: string, options: { readonly size?: boolean } = {}): Promise<ContainerInspection> {
    return this.#engine.json({ method: "GET", path: pathOf(id, "json"), query: { size: options.size } });
  }

  /** Removes those that do not run. */
  prune(filters: Readonly<Record<string, readonly string[]>> = {}): Promise<ContainersPruned> {
    return this.#engine.json({
      method: "POST",
      path: "/containers/prune",
      query: { filters: JSON.stringify(filters) },
    });
  }

  /** What it uses; takes a second, in which the rates are measured. */
  stats(id: string): Promise<StatsFrame> {
    return this.#engine.json({ method: "GET", path: pathOf(id, "stats"), query: { stream: "0" } });
  }

  /** What it uses, every second, until it is removed. */
  async watchStats(id: string): Promise<AsyncGenerator<StatsFrame, void>> {
    const response = await this.#engine.call({ method: "GET", path: pathOf(id, "stats") });
    const lines = readLines(response.stream());
    return (async function* () {
      for await (const line of lines) yield JSON.parse(line) as StatsFrame;
    })();
  }

  /** Sets the size of the container's terminal. */
  resize(id: string, rows: number, columns: number): Promise<void> {
    return this.#engine.done({ method: "POST", path: pathOf(id, "resize"), query: { h: rows, w: columns } });
  }

  /**
   * Begins to wait. Resolves when the engine watches the container; `exit` then resolves with its exit. So a client can wait
   * before it starts a container, and miss nothing.
   */
  async wait(id: string, condition: WaitCondition): Promise<{ readonly exit: () => Promise<ContainerExit> }> {
    const response = await this.#engine.call({ method: "POST", path: pathOf(id, "wait"), query: { condition } });
    return { exit: async () => JSON.parse(await response.text()) as ContainerExit };
  }

  /** Takes part in the container's standard streams. Resolves when the engine holds the connection. */
  async attach(id: string, streams: AttachStreams): Promise<AttachedContainer> {
    const response = await this.#engine.call({
      method: "POST",
      path: pathOf(id, "attach"),
      query: { stream: true, ...streams },
      headers: { Connection: "Upgrade", Upgrade: "tcp" },
    });
    return new AttachedContainer(response);
  }

  /** What a path in the container names. */
  async pathStatus(id: string, path: string): Promise<PathStatus> {
    const response = await this.#engine.call({ method: "HEAD", path: pathOf(id, "archive"), query: { path } });
    await response.bytes();
    return readPathStatus(response);
  }

  /** What a path names and all that is in it, as an archive. */
  async getArchive(
    id: string,
    path: string,
  ): Promise<{ readonly status: PathStatus; readonly archive: AsyncGenerator<Uint8Array, void> }> {
    const response = await this.#engine.call({ method: "GET", path: pathOf(id, "archive"), query: { path } });
    return { status: readPathStatus(response), archive: response.stream() };
  }

  /** Puts what an archive holds into a directory. @param copyUidGid everything becomes the container's user's */
  putArchive(id: string, path: string, archive: AsyncIterable<Uint8Array>, copyUidGid: boolean): Promise<void> {
    return this.#engine.done({
      method: "PUT",
      path: pathOf(id, "archive"),
      query: { path, noOverwriteDirNonDir: true, copyUIDGID: copyUidGid },
      headers: { "Content-Type": "application/x-tar" },
      upload: archive,
    });
  }

  /** The whole root as an archive. */
  async export(id: string): Promise<AsyncGenerator<Uint8Array, void>> {
    return (await this.#engine.call({ method: "GET", path: pathOf(id, "export") })).stream();
  }

  /** Kind: 0 changed, 1 added, 2 deleted. */
  async changes(id: string): Promise<readonly { readonly Path: string; readonly Kind: 0 | 1 | 2 }[]> {
    return (await this.#engine.json<[] | null>({ method: "GET", path: pathOf(id, "changes") })) ?? [];
  }

  /** The container's log as the attach protocol frames it (raw for a terminal's). */
  async logs(id: string, query: LogsQuery): Promise<AsyncGenerator<Uint8Array, void>> {
    const response = await this.#engine.call({ method: "GET", path: pathOf(id, "logs"), query: { ...query } });
    return response.stream();
  }
}

function pathOf(id: string, verb: string): string {
  return `/containers/${encodeURIComponent(id)}/${verb}`;
}
