/** `ps --filter`. Values of one key are alternatives, except for labels, which must all match; all keys must match. */

import { OrlopError } from "../base/errors.ts";
import { Pattern } from "../base/pattern.ts";
import type { Container } from "../engine/containers/container.ts";
import { isHostImage } from "../engine/images/host-image.ts";
import { networkModeOf } from "../engine/networks/network-mode.ts";
import type { Digest } from "../spec/digest.ts";
import type { SummaryPort } from "./network-json.ts";
import { hasLabel } from "./prune-filters.ts";
import type { Filters } from "./query.ts";

export interface ListQuery {
  readonly all: boolean;
  /** How many of the newest, running or not. */
  readonly limit: number | undefined;
  readonly filters: Filters;
}

export const containerFilterKeys = [
  "ancestor",
  "before",
  "exited",
  "expose",
  "health",
  "id",
  "is-task",
  "isolation",
  "label",
  "name",
  "network",
  "publish",
  "since",
  "status",
  "volume",
] as const;

const statuses = ["created", "restarting", "running", "removing", "paused", "exited", "dead"];
const healths = ["starting", "healthy", "unhealthy", "none"];

export interface FilterSurroundings {
  /** The existing networks, for containers whose network was given by id. */
  readonly networks: readonly NamedNetwork[];
  /** The ids of an image (given by name or id) and of the images that were made from it. */
  readonly families: ReadonlyMap<string, ReadonlySet<Digest>>;
  readonly ports: (container: Container) => readonly SummaryPort[];
}

/**
 * @param containers newest first
 * @param find       a container by what `before` and `since` name
 * @throws {OrlopError} bad_value, no_such_container
 */
export function filterContainers(
  containers: readonly Container[],
  { all, limit, filters }: ListQuery,
  find: (reference: string) => Container,
  { networks, families, ports }: FilterSurroundings,
): Container[] {
  check(filters, "status", (status) => statuses.includes(status), statuses.join(", "));
  check(filters, "health", (health) => healths.includes(health), healths.join(", "));
  check(filters, "exited", (code) => /^-?\d{1,9}$/.test(code), "an exit code");
  check(filters, "is-task", (task) => isTrue(task) || isFalse(task), "true or false");
  check(filters, "expose", isPortRange, "PORT[-PORT][/PROTOCOL]");
  check(filters, "publish", isPortRange, "PORT[-PORT][/PROTOCOL]");
  const names = filters["name"]?.map(namePattern);
  const before = filters["before"]?.map((reference) => containers.indexOf(find(reference)));
  const since = filters["since"]?.map((reference) => containers.indexOf(find(reference)));
  // A filter by status or exit code, or a limit, includes stopped containers.
  const hasLimit = limit !== undefined && limit > 0;
  const running = !all && !hasLimit && filters["status"] === undefined && filters["exited"] === undefined;
  const found = containers.filter(
    (container, at) =>
      (!running || container.isRunning || container.status === "restarting") &&
      holds(filters["id"], (id) => container.id.startsWith(id)) &&
      holds(names, (name) => name.test(container.name) || name.test(`/${container.name}`)) &&
      holds(filters["status"], (status) => container.status === status) &&
      holds(filters["exited"], (code) => hasExitedWith(container, Number(code))) &&
      holds(filters["ancestor"], (image) => isOf(container, image, families.get(image))) &&
      holds(before, (other) => at > other) &&
      holds(since, (other) => at < other) &&
      holds(filters["health"], (health) => health === (container.health.current?.status ?? "none")) &&
      // No container is a swarm task.
      holds(filters["is-task"], isFalse) &&
      holds(filters["isolation"], (isolation) => isolation === (container.body.HostConfig.Isolation || "default")) &&
      holds(filters["network"], (network) => isIn(container, network, networks)) &&
      holds(filters["volume"], (volume) => hasMount(container, volume)) &&
      hasPort(ports(container), filters) &&
      (filters["label"] ?? []).every((label) => hasLabel(container.body.Labels, label)),
  );
  return hasLimit ? found.slice(0, limit) : found;
}

function holds<T>(values: readonly T[] | undefined, test: (value: T) => boolean): boolean {
  return values === undefined || values.some(test);
}

function check(filters: Filters, key: string, isRight: (value: string) => boolean, expected: string): void {
  const wrong = filters[key]?.find((value) => !isRight(value));
  if (wrong !== undefined) throw OrlopError.of("bad_filter", { filter: `${key}=${wrong}`, expected });
}

function isTrue(text: string): boolean {
  return ["1", "true", "t"].includes(text.toLowerCase());
}

function isFalse(text: string): boolean {
  return ["0", "false", "f"].includes(text.toLowerCase());
}

function hasExitedWith({ status, run }: Container, code: number): boolean {
  return status === "exited" && run.exitCode === code;
}

/** The image that the name means now, or one made from it. A container of an older image of this name does not match. */
function isOf({ body, record }: Container, image: string, family: ReadonlySet<Digest> | undefined): boolean {
  if (family === undefined) return isHostImage(image) && isHostImage(body.Image);
  return record.image !== undefined && family.has(record.image.id);
}

export interface NamedNetwork {
  readonly id: string;
  readonly name: string;
}

/** By a network's name or id prefix, or by what it was called at create or connect. */
function isIn({ body, endpoints }: Container, wanted: string, networks: readonly NamedNetwork[]): boolean {
  const mode = networkModeOf(body);
  const own =
    mode.kind === "none" || mode.kind === "host" ? [mode.kind] : endpoints.map((endpoint) => endpoint.network);
  if (own.includes(wanted) || body.HostConfig.NetworkMode === wanted) return true;
  return networks.some(
    ({ id, name }) =>
      (name === wanted || id.startsWith(wanted)) &&
      own.some((written) => written === name || (written !== "" && id.startsWith(written))),
  );
}

/** By a volume's name, a source or a destination. */
function hasMount({ record }: Container, text: string): boolean {
  return record.mounts.some(
    (point) =>
      point.destination === text ||
      (point.type === "volume" && point.name === text) ||
      (point.type === "bind" && point.source === text),
  );
}

/** `publish` and `expose`, which Docker treats alike: matches a published port's host port, or any port's container port. */
function hasPort(ports: readonly SummaryPort[], { expose, publish }: Filters): boolean {
  if (expose === undefined && publish === undefined) return true;
  const isAmong = (ranges: readonly string[] | undefined, port: number | undefined, type: string): boolean =>
    port !== undefined && (ranges ?? []).some((range) => isInRange(range, port, type));
  return ports.some(
    ({ PublicPort, PrivatePort, Type }) => isAmong(publish, PublicPort, Type) || isAmong(expose, PrivatePort, Type),
  );
}

const portRange = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/;

function isPortRange(text: string): boolean {
  const match = portRange.exec(text);
  return match !== null && Number(match[1]) <= Number(match[2] ?? match[1]) && Number(match[2] ?? match[1]) <= 65_535;
}

function isInRange(range: string, port: number, type: string): boolean {
  const [, first, last = first, protocol = "tcp"] = portRange.exec(range) ?? [];
  return type === protocol && port >= Number(first) && port <= Number(last);
}

function namePattern(text: string): Pattern {
  try {
    return new Pattern(text);
  } catch (error) {
    throw OrlopError.of("bad_filter", { filter: `name=${text}`, expected: "a regular expression" }, error);
  }
}
