/** Connects running containers to networks and disconnects them. */

import { point } from "../../base/point.ts";
import type { Executor } from "../../kernel/executor.ts";
import { removeLinks } from "../../network/plan-bridge.ts";
import { planLink, removeInside } from "../../network/plan-sandbox.ts";
import { endpointOptionsOf, nameLinks } from "./endpoint-options.ts";
import { type Endpoints, explainRefusal, planLeading } from "./endpoints.ts";
import type { LiveSandboxes } from "./live-sandboxes.ts";
import { enterSandbox } from "./namespace-holder.ts";
import type { Network } from "./network.ts";
import type { PublishedPorts } from "./published-ports.ts";
import { type EndpointRecord, linkNameOf, type SandboxRecord, writeSandbox } from "./sandbox-record.ts";
import type { EndpointWish } from "./sandbox-wish.ts";

export interface SandboxChangesParts {
  readonly executor: Executor;
  readonly live: LiveSandboxes;
  readonly endpoints: Endpoints;
  readonly ports: PublishedPorts;
  /** The path of a namespace. */
  pathOf(sandboxId: string): string;
  /** undefined for a network that has been removed. */
  networkOf(id: string): Network | undefined;
}

export class SandboxChanges {
  readonly #parts: SandboxChangesParts;

  constructor(parts: SandboxChangesParts) {
    this.#parts = parts;
  }

  /** Adds an endpoint to a running container. */
  connect(containerId: string, runDir: string, wish: EndpointWish): Promise<void> {
    return this.#parts.live.change(containerId, (record) => this.#connect(containerId, runDir, record, wish));
  }

  async #connect(containerId: string, runDir: string, record: SandboxRecord, wish: EndpointWish): Promise<void> {
    const { executor, live, endpoints, ports } = this.#parts;
    const path = this.#parts.pathOf(record.id);
    const taken = record.endpoints.map(linkNameOf);
    const [linkName = ""] = nameLinks([endpointOptionsOf(wish.settings).linkName], taken, record.nextNumber);
    const { endpoint, link } = await endpoints.make(record, wish, linkName);
    const after = { ...record, endpoints: [...record.endpoints, endpoint], nextNumber: record.nextNumber + 1 };
    writeSandbox(runDir, after);
    point("network.connect.recorded");
    try {
      await executor.run([...enterSandbox(path, record), ...planLink(link), ...planLeading(path, after)]);
    } catch (error) {
      writeSandbox(runDir, record);
      await this.#removeEndpoint(record, endpoint);
      throw explainRefusal(error, [wish]);
    }
    if (live.update(containerId, after)) await ports.republish(containerId, record, after);
  }

  disconnect(containerId: string, runDir: string, networkId: string): Promise<void> {
    return this.#parts.live.change(containerId, (record) => this.#disconnect(containerId, runDir, record, networkId));
  }

  async #disconnect(containerId: string, runDir: string, record: SandboxRecord, networkId: string): Promise<void> {
    const { executor, live, ports } = this.#parts;
    const endpoint = record.endpoints.find((one) => one.networkId === networkId);
    if (endpoint === undefined) return;
    const after = { ...record, endpoints: record.endpoints.filter((one) => one !== endpoint) };
    await this.#removeEndpoint(record, endpoint);
    const runs = live.update(containerId, after);
    await executor.run(planLeading(this.#parts.pathOf(after.id), after));
    writeSandbox(runDir, after);
    this.#parts.networkOf(networkId)?.members.delete(containerId);
    point("network.disconnect.recorded");
    if (runs) await ports.republish(containerId, record, after);
  }

  async #removeEndpoint(record: SandboxRecord, endpoint: EndpointRecord): Promise<void> {
    const steps =
      endpoint.portName === ""
        ? [...enterSandbox(this.#parts.pathOf(record.id), record), removeInside(linkNameOf(endpoint))]
        : [removeLinks([endpoint.portName], "unplugged: both ends of the pair go")];
    await this.#parts.executor.run(steps);
    this.#parts.endpoints.releaseAddresses(endpoint);
  }
}
