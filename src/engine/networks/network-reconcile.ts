/** At the engine's start: takes over the networks of running containers, and removes from the kernel what belongs to none. */

import { log } from "../../base/log.ts";
import type { Netd } from "../../kernel/netd.ts";
import type { ContainerLinks } from "./container-links.ts";
import type { ContainerNames } from "./container-names.ts";
import type { HostNetwork } from "./host-network.ts";
import type { NetworkStore } from "./network-store.ts";
import type { NetworkedContainer } from "./networked-container.ts";
import type { EndpointWish } from "./sandbox-wish.ts";
import type { Sandboxes } from "./sandboxes.ts";

export interface ReconcileParts {
  readonly store: NetworkStore;
  readonly host: HostNetwork;
  readonly netd: Netd;
  readonly sandboxes: Sandboxes;
  readonly names: ContainerNames;
  readonly links: ContainerLinks;
  /** undefined for a container that has been removed. */
  container(id: string): NetworkedContainer | undefined;
  detach(container: NetworkedContainer): Promise<void>;
  /** As `EngineParts.background`. */
  background(what: string, work: () => Promise<void>): Promise<void>;
}

/** Called when every container is adopted and known to run or not. */
export async function reconcileNetworks(parts: ReconcileParts): Promise<void> {
  const { store, host, netd, sandboxes, names, links } = parts;
  const adopted = () => sandboxes.containerIds.flatMap((id) => parts.container(id) ?? []);
  for (const container of adopted()) if (container.isRunning) names.adopt(container);
  await netd.sync();
  await links.serveAdopted();
  for (const id of sandboxes.containerIds) {
    const container = parts.container(id);
    if (container !== undefined && !container.isRunning) await parts.detach(container);
  }
  if (host.wasUsed) {
    const survey = await host.survey();
    await sandboxes.removeStrays(survey);
    await host.removeStrays(survey, new Set(store.records.map(({ linkName }) => linkName)));
  }
  const running = adopted();
  if (running.length > 0) await resume(parts, running);
  for (const id of sandboxes.networkIds) {
    const network = store.of(id);
    if (network?.record.driver === "bridge") await host.bridgeIndex(network);
  }
}

/** Finishes what an earlier engine was doing when it was killed. */
async function resume(parts: ReconcileParts, running: readonly NetworkedContainer[]): Promise<void> {
  const { host, sandboxes } = parts;
  const links = new Set((await host.survey()).links.map(({ name }) => name));
  for (const container of running)
    await finishChanges(parts, container, links).catch((error: unknown) =>
      log("error", `networks of ${container.id}`, error),
    );
  for (const { id, places, run } of running)
    void parts.background(`the network namespace of ${id}`, () => sandboxes.handOver(id, places.runDir, run.pid));
}

/**
 * Finishes a connect or disconnect during which an earlier engine was killed: the container's record decides.
 *
 * @param links of the host: if an endpoint's link is missing, the endpoint is missing too
 */
async function finishChanges(
  { store, sandboxes, names }: ReconcileParts,
  container: NetworkedContainer,
  links: ReadonlySet<string>,
): Promise<void> {
  const { id, places } = container;
  const wanted = new Map<string, EndpointWish>();
  for (const { network: name, settings } of container.endpoints) {
    const network = await store.get(name);
    wanted.set(network.id, { network, settings });
  }
  const before = sandboxes.of(id)?.endpoints ?? [];
  const kept = before.filter(
    ({ networkId, portName }) => wanted.has(networkId) && (portName === "" || links.has(portName)),
  );
  const missing = [...wanted].filter(([networkId]) => !kept.some((one) => one.networkId === networkId));
  if (kept.length === before.length && missing.length === 0) return;
  for (const { networkId } of before.filter((one) => !kept.includes(one)))
    await sandboxes.disconnect(id, places.runDir, networkId);
  for (const [, wish] of missing) await sandboxes.connect(id, places.runDir, wish);
  await names.announce(container);
}
