/** `network connect` and `network disconnect` of a container. */

import { OrlopError } from "../../../base/errors.ts";
import type { EndpointSettings } from "../../../spec/engine-api-network.ts";
import type { Network } from "../../networks/network.ts";
import { type AskedEndpoint, endpointsOf, networkModeOf } from "../../networks/network-mode.ts";
import type { ContainerLife } from "./container-life.ts";

export class ContainerConnections {
  readonly #life: ContainerLife;
  readonly #changed: () => void;

  /** @param changed called when a plan that was made for its next start is no longer right */
  constructor(life: ContainerLife, changed: () => void) {
    this.#life = life;
    this.#changed = changed;
  }

  /** The networks that the container is in while it runs. */
  get endpoints(): readonly AskedEndpoint[] {
    return endpointsOf(this.#life.body, this.#life.record.endpoints);
  }

  /** Takes effect at once in a running container, else with its next start. @throws {OrlopError} connect_refused, already_connected … */
  connect(network: Network, settings: EndpointSettings): Promise<void> {
    const life = this.#life;
    return life.queue.run(async () => {
      const now = await this.#endpointsByName();
      if (now[network.name] !== undefined)
        throw OrlopError.of("already_connected", { name: life.name, network: network.name });
      await life.parts.networks.connect(life.container, network, settings);
      this.#changed();
      await life.changeRecord({ endpoints: { ...now, [network.name]: settings } });
    });
  }

  /** @throws {OrlopError} connect_refused, not_connected */
  disconnect(network: Network): Promise<void> {
    const life = this.#life;
    return life.queue.run(async () => {
      const { [network.name]: gone, ...rest } = await this.#endpointsByName();
      if (gone === undefined) throw OrlopError.of("not_connected", { name: life.name, network: network.name });
      await life.parts.networks.disconnect(life.container, network);
      await life.changeRecord({ endpoints: rest });
    });
  }

  /** A link as it was written. At once when it runs. @throws {OrlopError} no_such_container: it has none, or not any more */
  unlink(link: string): Promise<void> {
    const life = this.#life;
    return life.queue.run(async () => {
      const { HostConfig } = life.body;
      const Links = HostConfig.Links.filter((one) => one !== link);
      if (Links.length === HostConfig.Links.length) throw OrlopError.of("no_such_container", { id: link });
      this.#changed();
      await life.changeRecord({ body: { ...life.body, HostConfig: { ...HostConfig, Links } } });
      await life.parts.networks.unlinked(life.container);
    });
  }

  async #endpointsByName(): Promise<Record<string, EndpointSettings>> {
    const { body, name, parts } = this.#life;
    if (networkModeOf(body).kind !== "network")
      throw OrlopError.of("connect_refused", { name, mode: body.HostConfig.NetworkMode || "none" });
    const named = this.endpoints.map(async ({ network, settings }) => {
      const known = await parts.networks.get(network).catch(() => undefined); // removed meanwhile
      return [known?.name ?? network, settings] as const;
    });
    return Object.fromEntries(await Promise.all(named));
  }
}
