/** Which operation a container takes in which state. */

import { type ErrorCode, OrlopError } from "../base/errors.ts";

export type Status = "created" | "running" | "exited" | "removing";

type Operation = "start" | "stop" | "kill" | "resize" | "remove";

/** do: carry it out. nothing: it is so already, and the caller is told that. Else the error. */
type Answer =
  | "do"
  | "nothing"
  | Extract<ErrorCode, "container_not_running" | "container_running" | "container_removing">;

const table: Readonly<Record<Operation, Readonly<Record<Status, Answer>>>> = {
  start: { created: "do", running: "nothing", exited: "do", removing: "container_removing" },
  stop: { created: "nothing", running: "do", exited: "nothing", removing: "nothing" },
  kill: {
    created: "container_not_running",
    running: "do",
    exited: "container_not_running",
    removing: "container_not_running",
  },
  resize: {
    created: "container_not_running",
    running: "do",
    exited: "container_not_running",
    removing: "container_not_running",
  },
  // Of a running one only by force, which ends it first.
  remove: { created: "do", running: "container_running", exited: "do", removing: "container_removing" },
};

/** Whether there is something to do; @throws {OrlopError} container_not_running, container_running, container_removing */
export function mustAct(operation: Operation, status: Status, container: { id: string; name: string }): boolean {
  const answer = table[operation][status];
  if (answer === "do" || answer === "nothing") return answer === "do";
  throw OrlopError.of(answer, { id: container.id, name: container.name });
}
