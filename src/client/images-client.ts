/** Images over the Engine API. */

import { parsePlatform } from "../spec/platform.ts";
import { type Call, type EngineClient, encodeQuery } from "./engine-client.ts";
import type {
  Filters,
  FoundRepository,
  HistoryEntry,
  ImagePruned,
  ImageSummary,
  ProgressMessage,
  RemovedImage,
} from "./image-types.ts";
import { readProgress } from "./progress-stream.ts";

export interface PullOptions {
  /** Empty: every tag. */
  readonly tag?: string;
  readonly platform?: string;
  /** X-Registry-Auth. */
  readonly auth?: string;
}

export interface ListOptions {
  readonly all?: boolean;
  /** Every platform of each too. */
  readonly manifests?: boolean;
  readonly filters?: Filters;
}

export interface CommitOptions {
  readonly repo?: string | undefined;
  readonly tag?: string | undefined;
  readonly author?: string | undefined;
  readonly comment?: string | undefined;
  readonly pause: 0 | 1;
  readonly changes: readonly string[];
}

export interface PushOptions {
  /** undefined: every tag that the repository has here. */
  readonly tag?: string | undefined;
  readonly auth?: string | undefined;
  readonly platform?: string | undefined;
}

export interface ImportOptions {
  readonly repo?: string | undefined;
  readonly tag?: string | undefined;
  readonly message?: string | undefined;
  readonly platform?: string | undefined;
  readonly changes: readonly string[];
}

export class ImagesClient {
  readonly #engine: EngineClient;

  constructor(engine: EngineClient) {
    this.#engine = engine;
  }

  /** Pulls, and tells how it goes. @param image the name; its tag or digest in it, or in `tag` */
  pull(image: string, { auth, ...query }: PullOptions): AsyncGenerator<ProgressMessage, void> {
    return this.#progress({ method: "POST", path: "/images/create", query: { fromImage: image, ...query } }, auth);
  }

  list(options: ListOptions = {}): Promise<readonly ImageSummary[]> {
    const { all, manifests } = options;
    const filters = options.filters === undefined ? undefined : JSON.stringify(options.filters);
    return this.#engine.json({ method: "GET", path: "/images/json", query: { all, manifests, filters } });
  }

  /** Everything about an image, as the engine says it. platform: what it must be for, as in each of these */
  inspect(name: string, platform?: string): Promise<Readonly<Record<string, unknown>>> {
    return this.#engine.json({ method: "GET", path: pathOf(name, "json"), query: platformQuery(platform) });
  }

  history(name: string, platform?: string): Promise<readonly HistoryEntry[]> {
    return this.#engine.json({ method: "GET", path: pathOf(name, "history"), query: platformQuery(platform) });
  }

  tag(name: string, repo: string, tag: string | undefined): Promise<void> {
    return this.#engine.done({ method: "POST", path: pathOf(name, "tag"), query: { repo, tag } });
  }

  /** platforms: of the image these alone; none: all of it */
  remove(name: string, force: boolean, platforms: readonly string[] = []): Promise<readonly RemovedImage[]> {
    const chosen = platforms.map((platform) => JSON.stringify(parsePlatform(platform)));
    const path = `/images/${encodeURIComponent(name)}${encodeQuery({ force: force ? 1 : 0 })}${repeated("platforms", chosen)}`;
    return this.#engine.json({ method: "DELETE", path });
  }

  prune(filters: Filters): Promise<ImagePruned> {
    return this.#engine.json({ method: "POST", path: "/images/prune", query: { filters: JSON.stringify(filters) } });
  }

  /** Pushes, and tells how it goes. */
  push(name: string, options: PushOptions): AsyncGenerator<ProgressMessage, void> {
    const query = { tag: options.tag, ...platformQuery(options.platform) };
    return this.#progress({ method: "POST", path: pathOf(name, "push"), query }, options.auth);
  }

  search(term: string, limit: number, filters: Filters, auth?: string): Promise<readonly FoundRepository[]> {
    const query = { term, limit, filters: JSON.stringify(filters) };
    return this.#engine.json({ method: "GET", path: "/images/search", query, headers: headersOf(auth) });
  }

  /** Makes an image of a container; its id. */
  async commit(container: string, options: CommitOptions): Promise<string> {
    const { changes, ...query } = options;
    const path = `/commit${encodeQuery({ container, ...query })}${repeated("changes", changes)}`;
    return (await this.#engine.json<{ readonly Id: string }>({ method: "POST", path })).Id;
  }

  /** Images as one archive. */
  async save(names: readonly string[], platform?: string): Promise<AsyncGenerator<Uint8Array, void>> {
    const path = `/images/get?${repeated("names", names).slice(1)}${encodeQuery(platformQuery(platform)).replace("?", "&")}`;
    return (await this.#engine.call({ method: "GET", path })).stream();
  }

  /** Adds the images of an archive, and tells which. */
  load(archive: AsyncIterable<Uint8Array>, platform?: string): AsyncGenerator<ProgressMessage, void> {
    const headers = { "Content-Type": "application/x-tar" };
    const query = platformQuery(platform);
    return this.#progress({ method: "POST", path: "/images/load", query, upload: archive, headers }, undefined);
  }

  /** Makes an image of a root's archive, and tells its id. */
  import(archive: AsyncIterable<Uint8Array>, options: ImportOptions): AsyncGenerator<ProgressMessage, void> {
    const { changes, ...query } = options;
    const path = `/images/create${encodeQuery({ fromSrc: "-", ...query })}${repeated("changes", changes)}`;
    const headers = { "Content-Type": "application/x-tar" };
    return this.#progress({ method: "POST", path, upload: archive, headers }, undefined);
  }

  async *#progress(call: Call, auth: string | undefined): AsyncGenerator<ProgressMessage, void> {
    yield* readProgress(await this.#engine.call({ ...call, headers: { ...call.headers, ...headersOf(auth) } }));
  }
}

/** "linux/arm64/v8" as the API has it: JSON. @throws {OrlopError} bad_value */
function platformQuery(platform: string | undefined): { readonly platform?: string } {
  return platform === undefined ? {} : { platform: JSON.stringify(parsePlatform(platform)) };
}

function headersOf(auth: string | undefined): Record<string, string> {
  return auth === undefined ? {} : { "X-Registry-Auth": auth };
}

function pathOf(name: string, verb: string): string {
  return `/images/${encodeURIComponent(name)}/${verb}`;
}

/** A parameter that is given several times, behind others. */
function repeated(name: string, values: readonly string[]): string {
  return values.map((value) => `&${name}=${encodeURIComponent(value)}`).join("");
}
