/** Docker's filters of events. Values of one key are alternatives; all keys must match. */

import { attributeOf, type EngineEvent } from "./events.ts";

/** Docker's filter keys. There are no events of plugins, nodes, services, secrets and configs. */
export const eventFilterKeys = [
  "config",
  "container",
  "daemon",
  "event",
  "image",
  "label",
  "network",
  "node",
  "plugin",
  "scope",
  "secret",
  "service",
  "type",
  "volume",
] as const;

type Key = (typeof eventFilterKeys)[number];
export type EventFilters = Readonly<Partial<Record<Key, readonly string[]>>>;

/** Each event has a scope: of one machine, or of a swarm. */
const SCOPE = "local";

/** A filter by the name or id of an object selects events of that type only. */
const objects = ["container", "daemon", "network", "node", "plugin", "secret", "service", "volume", "config"] as const;

export function matchEvent(filters: EventFilters, event: EngineEvent): boolean {
  return (
    any(filters.type, (type) => type === event.type) &&
    any(filters.scope, (scope) => scope === SCOPE) &&
    any(filters.event, (action) => isAction(event.action, action)) &&
    any(filters.image, (image) => isOfImage(event, image)) &&
    (filters.label ?? []).every((label) => hasLabel(event, label)) &&
    objects.every((object) => any(filters[object], (wanted) => isAbout(event, object, wanted)))
  );
}

function any(values: readonly string[] | undefined, test: (value: string) => boolean): boolean {
  return values === undefined || values.length === 0 || values.some(test);
}

/** "exec_create" and "health_status" also match actions with a text after a colon (moby #25798). */
function isAction(action: string, wanted: string): boolean {
  return action === wanted || (!wanted.includes(":") && action.startsWith(`${wanted}:`));
}

/** By name, id or id prefix. A network's events match by their container as well. */
function isAbout(event: EngineEvent, object: string, wanted: string): boolean {
  if (event.type !== object) return attributeOf(event, object)?.startsWith(wanted) ?? false;
  return event.id.startsWith(wanted) || attributeOf(event, "name") === wanted.replace(/^\//, "");
}

/** By a container's image, with or without its tag. */
function isOfImage(event: EngineEvent, wanted: string): boolean {
  const { type, id } = event;
  const name = attributeOf(event, type === "image" ? "name" : "image") ?? "";
  const names = type === "image" ? [id, withoutTag(id), name, withoutTag(name)] : [name, withoutTag(name)];
  return (type === "image" || type === "container") && names.includes(wanted);
}

function withoutTag(name: string): string {
  return name.replace(/:[^:/]*$/, "");
}

function hasLabel(event: EngineEvent, label: string): boolean {
  const equals = label.indexOf("=");
  if (equals < 0) return attributeOf(event, label) !== undefined;
  return attributeOf(event, label.slice(0, equals)) === label.slice(equals + 1);
}
