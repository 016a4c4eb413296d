/** Networks over the Engine API. */
import type { EngineClient } from "./engine-client.ts";
import type { EndpointConfig, NetworkCreate, NetworkSummary } from "./network-types.ts";

type Filters = Readonly<Record<string, readonly string[]>>;

export class NetworksClient {
  readonly #engine: EngineClient;

  constructor(engine: EngineClient) {
    this.#engine = engine;
  }

  create(network: NetworkCreate): Promise<{ readonly Id: string; readonly Warning?: string }> {
    return this.#engine.json({ method: "POST", path: "/networks/create", json: network });
  }

  list(filters?: Filters): Promise<readonly NetworkSummary[]> {
    return this.#engine.json({ method: "GET", path: "/networks", query: { filters: encodeFilters(filters) } });
  }

  inspect(name: string, verbose = false): Promise<unknown> {
    return this.#engine.json({ method: "GET", path: pathOf(name), query: { verbose } });
  }

  remove(name: string): Promise<void> {
    return this.#engine.done({ method: "DELETE", path: pathOf(name) });
  }

  connect(name: string, container: string, config: EndpointConfig): Promise<void> {
    const json = { Container: container, EndpointConfig: config };
    return this.#engine.done({ method: "POST", path: `${pathOf(name)}/connect`, json });
  }

  disconnect(name: string, container: string, force: boolean): Promise<void> {
    const json = { Container: container, Force: force };
    return this.#engine.done({ method: "POST", path: `${pathOf(name)}/disconnect`, json });
  }

  prune(filters?: Filters): Promise<{ readonly NetworksDeleted: readonly string[] | null }> {
    return this.#engine.json({ method: "POST", path: "/networks/prune", query: { filters: encodeFilters(filters) } });
  }
}

function pathOf(name: string): string {
  return `/networks/${encodeURIComponent(name)}`;
}

function encodeFilters(filters: Filters | undefined): string | undefined {
  return filters === undefined || Object.keys(filters).length === 0 ? undefined : JSON.stringify(filters);
}
