/** Images over the Engine API. */
import type { Call, EngineClient } from "./engine-client.ts";
import type { Filters, ImageSummary, ProgressMessage } from "./image-types.ts";
import { readProgress } from "./progress-stream.ts";

export interface PullOptions {
  /** Empty: every tag. */
  readonly tag?: string;
  readonly platform?: string;
  /** X-Registry-Auth. */
  readonly auth?: string;
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

  list(options: { readonly all?: boolean; readonly filters?: Filters } = {}): Promise<readonly ImageSummary[]> {
    const filters = options.filters === undefined ? undefined : JSON.stringify(options.filters);
    return this.#engine.json({ method: "GET", path: "/images/json", query: { all: options.all, filters } });
  }

  async *#progress(call: Call, auth: string | undefined): AsyncGenerator<ProgressMessage, void> {
    const headers = auth === undefined ? {} : { "X-Registry-Auth": auth };
    yield* readProgress(await this.#engine.call({ ...call, headers }));
  }
}
