/** A container's events: their names, and the attributes that all of them have. */

import type { Events } from "../events/events.ts";
import type { ContainerRecord } from "./container-record.ts";

export type ContainerAction =
  | "archive-path"
  | "attach"
  | "commit"
  | "copy"
  | "create"
  | "destroy"
  | "detach"
  | "die"
  | `exec_create: ${string}`
  | "exec_detach"
  | "exec_die"
  | `exec_start: ${string}`
  | "export"
  | "extract-to-dir"
  | `health_status: ${string}`
  | "kill"
  | "oom"
  | "pause"
  | "rename"
  | "resize"
  | "restart"
  | "start"
  | "stop"
  | "top"
  | "unpause"
  | "update";

/** @param more Docker's attributes of this action, e.g. `exitCode` */
export function publishContainerEvent(
  events: Events,
  { id, name, body }: Pick<ContainerRecord, "id" | "name" | "body">,
  action: ContainerAction,
  more: Readonly<Record<string, string>> = {},
): void {
  const image = body.Image === "" ? {} : { image: body.Image };
  events.publish({ type: "container", action, id, attributes: { ...more, ...image, name }, labels: body.Labels });
}
