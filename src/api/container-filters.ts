/** `ps --filter`. Values of one key are alternatives, keys must all hold; of labels every one must hold. */

import { OrlopError } from "../base/errors.ts";
import type { Container } from "../engine/container.ts";
import { isHostImage } from "../engine/host-image.ts";
import type { Filters } from "./query.ts";

export interface ListQuery {
  readonly all: boolean;
  /** The newest so many, running or not. */
  readonly limit: number | undefined;
  readonly filters: Filters;
}

const statuses = ["created", "restarting", "running", "removing", "paused", "exited", "dead"];

/** @param containers newest first */
export function filterContainers(containers: readonly Container[], { all, limit, filters }: ListQuery): Container[] {
  checkStatuses(filters["status"] ?? []);
  const names = filters["name"]?.map(namePattern);
  // A status or exit code that was asked for, or a limit, means stopped ones too.
  const running = !all && limit === undefined && filters["status"] === undefined && filters["exited"] === undefined;
  const found = containers.filter(
    (container) =>
      (!running || container.isRunning) &&
      holds(filters["id"], (id) => container.id.startsWith(id)) &&
      holds(names, (name) => name.test(container.name) || name.test(`/${container.name}`)) &&
      holds(filters["status"], (status) => container.status === status) &&
      holds(filters["exited"], (code) => container.status === "exited" && String(container.run.exitCode) === code) &&
      holds(
        filters["ancestor"],
        (image) => container.body.Image === image || (isHostImage(image) && isHostImage(container.body.Image)),
      ) &&
      (filters["label"] ?? []).every((label) => hasLabel(container, label)),
  );
  return limit !== undefined && limit > 0 ? found.slice(0, limit) : found;
}

function holds<T>(values: readonly T[] | undefined, test: (value: T) => boolean): boolean {
  return values === undefined || values.some(test);
}

function hasLabel({ body }: Container, label: string): boolean {
  const equals = label.indexOf("=");
  if (equals < 0) return Object.hasOwn(body.Labels, label);
  return body.Labels[label.slice(0, equals)] === label.slice(equals + 1);
}

function checkStatuses(given: readonly string[]): void {
  const unknown = given.find((status) => !statuses.includes(status));
  if (unknown !== undefined)
    throw OrlopError.of("bad_value", { what: "status filter", value: unknown, expected: statuses.join(", ") });
}

function namePattern(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch (error) {
    throw OrlopError.of("bad_value", { what: "name filter", value: text, expected: "a regular expression" }, error);
  }
}
