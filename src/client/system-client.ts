/** The engine itself over the Engine API. */
import type { EngineClient } from "./engine-client.ts";

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
}
