/** The engine itself over the Engine API. */
import type { ContainerSummary } from "./container-types.ts";
import type { Login } from "./docker-config.ts";
import type { EngineClient } from "./engine-client.ts";
import type { ImageSummary, ProgressMessage } from "./image-types.ts";
import { readLines } from "./json-lines.ts";
import { readProgress } from "./progress-stream.ts";

/** What `orlop version` shows of the engine. */
export interface EngineVersion {
  readonly Version: string;
  readonly ApiVersion: string;
  readonly MinAPIVersion: string;
  readonly GitCommit?: string;
  readonly Os: string;
  readonly Arch: string;
  readonly KernelVersion?: string;
}

export interface EventsQuery {
  /** Unix time in seconds, with a fraction if need be. */
  readonly since?: string;
  readonly until?: string;
  readonly filters?: Readonly<Record<string, readonly string[]>>;
}

export interface VolumeUsage {
  readonly Name: string;
  readonly UsageData?: { readonly Size: number; readonly RefCount: number };
}

export interface DiskUsage {
  /** Every unpacked layer once. */
  readonly LayersSize: number;
  /** Orlop's own: the blobs as they came. */
  readonly BlobsSize?: number;
  readonly Images: readonly ImageSummary[] | null;
  readonly Containers: readonly ContainerSummary[] | null;
  readonly Volumes: readonly VolumeUsage[] | null;
}

export class SystemClient {
  readonly #engine: EngineClient;

  constructor(engine: EngineClient) {
    this.#engine = engine;
  }

  async ping(): Promise<void> {
    await this.#engine.done({ method: "GET", path: "/_ping" });
  }

  version(): Promise<EngineVersion> {
    return this.#engine.json({ method: "GET", path: "/version" });
  }

  /** Everything the engine says about itself, as it says it. */
  info(): Promise<Readonly<Record<string, unknown>>> {
    return this.#engine.json({ method: "GET", path: "/info" });
  }

  /** What happens in the engine, an event a line of JSON, until `until` or the end of the reading. */
  async events({ filters, ...query }: EventsQuery = {}): Promise<AsyncGenerator<string, void>> {
    const response = await this.#engine.call({
      method: "GET",
      path: "/events",
      query: { ...query, ...(filters === undefined ? {} : { filters: JSON.stringify(filters) }) },
    });
    return readLines(response.stream());
  }

  /** Asks the registry whether a login is right. What is to be kept instead of the password, if the registry gave that. */
  async auth(login: Login): Promise<{ readonly Status: string; readonly IdentityToken: string }> {
    return this.#engine.json({ method: "POST", path: "/auth", json: login });
  }

  /** What takes how much of the disk. */
  diskUsage(): Promise<DiskUsage> {
    return this.#engine.json({ method: "GET", path: "/system/df" });
  }

  /** The machine is being shut down: stops every container, and leaves it to their restart policies to bring them back.
   *  How many there were. */
  async shutDown(): Promise<number> {
    const { Stopped } = await this.#engine.json<{ Stopped: number }>({ method: "POST", path: "/orlop/shutdown" });
    return Stopped;
  }

  /** Reads every blob again; tells what is damaged, and with `repair` what became of it. */
  async *check(repair: boolean): AsyncGenerator<ProgressMessage, void> {
    yield* readProgress(await this.#engine.call({ method: "POST", path: "/orlop/check", query: { repair } }));
  }
}
