/** Volumes over the Engine API. */
import type { EngineClient } from "./engine-client.ts";

export interface VolumeCreate {
  readonly Name?: string;
  readonly Driver?: string;
  readonly DriverOpts?: Readonly<Record<string, string>>;
  readonly Labels?: Readonly<Record<string, string>>;
}

export interface VolumeInspection {
  readonly Name: string;
  readonly Driver: string;
  readonly Mountpoint: string;
  readonly CreatedAt: string;
  readonly Scope: string;
  readonly Labels: Readonly<Record<string, string>> | null;
  readonly Options: Readonly<Record<string, string>> | null;
}

export interface VolumesPruned {
  readonly VolumesDeleted: readonly string[] | null;
  readonly SpaceReclaimed: number;
}

type Filters = Readonly<Record<string, readonly string[]>>;

export class VolumesClient {
  readonly #engine: EngineClient;

  constructor(engine: EngineClient) {
    this.#engine = engine;
  }

  create(volume: VolumeCreate): Promise<VolumeInspection> {
    return this.#engine.json({ method: "POST", path: "/volumes/create", json: volume });
  }

  async list(filters?: Filters): Promise<readonly VolumeInspection[]> {
    const { Volumes } = await this.#engine.json<{ readonly Volumes: readonly VolumeInspection[] | null }>({
      method: "GET",
      path: "/volumes",
      query: { filters: encodeFilters(filters) },
    });
    return Volumes ?? [];
  }

  inspect(name: string): Promise<VolumeInspection> {
    return this.#engine.json({ method: "GET", path: `/volumes/${encodeURIComponent(name)}` });
  }

  /** @param force one that does not exist is fine */
  remove(name: string, force?: boolean): Promise<void> {
    return this.#engine.done({ method: "DELETE", path: `/volumes/${encodeURIComponent(name)}`, query: { force } });
  }

  prune(filters?: Filters): Promise<VolumesPruned> {
    return this.#engine.json({ method: "POST", path: "/volumes/prune", query: { filters: encodeFilters(filters) } });
  }
}

function encodeFilters(filters: Filters | undefined): string | undefined {
  return filters === undefined || Object.keys(filters).length === 0 ? undefined : JSON.stringify(filters);
}
