/** Docker's filters of events. */

import { expect, test } from "bun:test";
import { type EventFilters, matchEvent } from "./event-filter.ts";
import type { EngineEvent } from "./events.ts";

const id = "4f5e".padEnd(64, "0");
const events = {
  start: event("container", "start", id, { image: "alpine:3", name: "web", tier: "front" }),
  exec: event("container", "exec_create: sh -c true", id, { image: "alpine:3", name: "web" }),
  connect: event("network", "connect", "n1", { container: id, name: "net" }),
  pull: event("image", "pull", "alpine:3", { name: "alpine" }),
  volume: event("volume", "create", "data", { driver: "local" }),
};

function event(
  type: EngineEvent["type"],
  action: string,
  actor: string,
  attributes: Record<string, string>,
): EngineEvent {
  return { type, action, id: actor, attributes, timeNs: 1n };
}

test.each<[EventFilters, (keyof typeof events)[]]>([
  [{}, ["start", "exec", "connect", "pull", "volume"]],
  [{ type: ["image", "volume"] }, ["pull", "volume"]],
  [{ event: ["start"] }, ["start"]],
  [{ event: ["exec_create"] }, ["exec"]],
  [{ event: ["exec_create: sh"] }, []],
  [{ container: ["web"] }, ["start", "exec"]],
  [{ container: ["/web"] }, ["start", "exec"]],
  [{ container: ["we"] }, []],
  [{ container: ["4f5e"] }, ["start", "exec", "connect"]],
  [{ container: ["web"], event: ["start"] }, ["start"]],
  [{ image: ["alpine"] }, ["start", "exec", "pull"]],
  [{ image: ["alpine:3"] }, ["start", "exec", "pull"]],
  [{ image: ["alpine:4"] }, []],
  [{ network: ["net"] }, ["connect"]],
  [{ volume: ["data"] }, ["volume"]],
  [{ label: ["tier"] }, ["start"]],
  [{ label: ["tier=front"] }, ["start"]],
  [{ label: ["tier=back"] }, []],
  [{ label: ["tier", "other"] }, []],
  [{ scope: ["swarm"] }, []],
  [{ service: ["web"] }, []],
])("%j finds %j", (filters, found) => {
  const names = Object.keys(events) as (keyof typeof events)[];
  expect(names.filter((name) => matchEvent(filters, events[name]))).toEqual(found);
});
