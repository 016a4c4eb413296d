/** Routes of networks: create, list, inspect, remove, connect, disconnect … */

import { OrlopError } from "../base/errors.ts";
import { explainSteps } from "../engine/explain.ts";
import type { Network } from "../engine/networks/network.ts";
import { pruneNetworks } from "../engine/networks/network-prune.ts";
import { isBuiltIn } from "../engine/networks/network-record.ts";
import { parseNetworkConnect, parseNetworkCreate, parseNetworkDisconnect } from "../spec/engine-api-network.ts";
import { networkInspection, networkSummary } from "./network-json.ts";
import { hasLabel, pruneChoiceOf, pruneFilters } from "./prune-filters.ts";
import { type Filters, filters, flag, text } from "./query.ts";
import { json, noContent, type Reply } from "./reply.ts";
import { route } from "./route.ts";
import { has } from "./versions.ts";

export const networkRoutes = [
  route({
    method: "GET",
    path: "/networks",
    operation: "NetworkList",
    query: { filters: filters("dangling", "driver", "id", "label", "name", "scope", "type") },
    async handle({ query, engine, apiMinor }) {
      const found = filterNetworks(await engine.networks.all(), query.filters);
      return json(
        has(apiMinor, "networkMembers")
          ? found.map(networkSummary)
          : await Promise.all(found.map((network) => networkInspection(network, engine))),
      );
    },
  }),
  route({
    method: "GET",
    path: "/networks/:id",
    operation: "NetworkInspect",
    query: { verbose: flag, scope: text },
    async handle({ params, query, engine }) {
      const network = await engine.networks.get(params.id);
      if (query.scope !== undefined && query.scope !== "local")
        throw OrlopError.of("no_such_network", { reference: params.id });
      return json(await networkInspection(network, engine));
    },
  }),
  route({
    method: "POST",
    path: "/networks/create",
    operation: "NetworkCreate",
    body: true,
    async handle({ body, engine, apiMinor }) {
      const request = parseNetworkCreate(body ?? {});
      const known = has(apiMinor, "withoutIpv4") ? request : { ...request, EnableIPv4: true };
      const network = await engine.networks.create(known);
      return json({ Id: network.id, Warning: "" }, 201);
    },
    async explain({ body, engine }) {
      const steps = await engine.networks.foreseeNetwork(parseNetworkCreate(body ?? {}));
      const note =
        "The network is only written down. This is done when the first container enters it, and undone behind the last.";
      return explainSteps(steps, [note]);
    },
  }),
  route({
    method: "DELETE",
    path: "/networks/:id",
    operation: "NetworkDelete",
    async handle({ params, engine }) {
      await engine.networks.remove(await engine.networks.get(params.id));
      return noContent();
    },
  }),
  route({
    method: "POST",
    path: "/networks/:id/connect",
    operation: "NetworkConnect",
    body: true,
    async handle({ params, body, engine, apiMinor }) {
      const { Container, EndpointConfig } = parseNetworkConnect(body ?? {});
      const network = await engine.networks.get(params.id);
      const settings = has(apiMinor, "gatewayPriority") ? EndpointConfig : { ...EndpointConfig, GwPriority: 0 };
      await engine.containers.get(Container).connections.connect(network, settings);
      return done();
    },
  }),
  route({
    method: "POST",
    path: "/networks/:id/disconnect",
    operation: "NetworkDisconnect",
    body: true,
    async handle({ params, body, engine }) {
      const { Container } = parseNetworkDisconnect(body ?? {});
      const network = await engine.networks.get(params.id);
      await engine.containers.get(Container).connections.disconnect(network);
      return done();
    },
  }),
  route({
    method: "POST",
    path: "/networks/prune",
    operation: "NetworkPrune",
    query: { filters: pruneFilters },
    async handle({ query, engine }) {
      const { untilMs, hasLabels } = pruneChoiceOf(query.filters);
      const inUse = new Set(
        engine.containers.all().flatMap((container) => container.endpoints.map(({ network }) => network)),
      );
      const removed = await pruneNetworks(engine, ({ record, name, id }) => {
        const createdMs = Number(BigInt(record.createdNs) / 1_000_000n);
        const isOld = untilMs === undefined || createdMs < untilMs;
        return isOld && hasLabels(record.labels) && !inUse.has(name) && !inUse.has(id);
      });
      return json({ NetworksDeleted: removed });
    },
  }),
];

/** Docker's answer: 200 without a body. */
function done(): Reply {
  return { kind: "text", status: 200, text: "" };
}

/** Values of one key are alternatives, except for labels, which must all match; all keys must match. */
function filterNetworks(networks: readonly Network[], given: Filters): Network[] {
  const of = (key: string, test: (value: string, network: Network) => boolean) => (network: Network) =>
    given[key] === undefined || given[key].some((value) => test(value, network));
  const dangling = of("dangling", (value, network) => {
    if (!["true", "1", "false", "0"].includes(value))
      throw OrlopError.of("bad_filter", { filter: `dangling=${value}`, expected: "true or false" });
    return (value === "true" || value === "1") === (network.members.size === 0 && !isBuiltIn(network.name));
  });
  const type = of("type", (value, network) => {
    if (value !== "custom" && value !== "builtin")
      throw OrlopError.of("bad_filter", { filter: `type=${value}`, expected: "custom or builtin" });
    return (value === "builtin") === isBuiltIn(network.name);
  });
  const tests = [
    dangling,
    type,
    of("driver", (value, { record }) => record.driver === value),
    of("id", (value, { id }) => id.includes(value)),
    of("name", (value, { name }) => name.includes(value)),
    of("scope", (value) => value === "local"),
    (network: Network) => (given["label"] ?? []).every((label) => hasLabel(network.record.labels, label)),
  ];
  return networks.filter((network) => tests.every((test) => test(network)));
}
