/** Which operations are allowed in which state. */

import { type ErrorCode, OrlopError } from "../../base/errors.ts";

export type Status = "created" | "running" | "paused" | "restarting" | "exited" | "removing";

export type Operation =
  | "start"
  | "stop"
  | "kill"
  | "resize"
  | "pause"
  | "unpause"
  | "attach"
  | "exec"
  | "top"
  | "remove";

type Refusal = Extract<ErrorCode, `container_${string}`>;
/** "do": carry it out. "nothing": the container is in that state already, which is no error. Else the error's code. */
type Answer = "do" | "nothing" | Refusal;

/** For operations that need a running program. */
const onlyRunning = {
  created: "container_not_running",
  running: "do",
  paused: "do",
  restarting: "container_restarting",
  exited: "container_not_running",
  removing: "container_not_running",
} as const satisfies Readonly<Record<Status, Answer>>;

const table: Readonly<Record<Operation, Readonly<Record<Status, Answer>>>> = {
  start: {
    created: "do",
    running: "nothing",
    paused: "container_paused_start",
    restarting: "do",
    exited: "do",
    removing: "container_removing",
  },
  stop: { created: "nothing", running: "do", paused: "do", restarting: "do", exited: "nothing", removing: "nothing" },
  // Cancels the restart.
  kill: { ...onlyRunning, restarting: "do" },
  resize: onlyRunning,
  top: onlyRunning,
  pause: { ...onlyRunning, paused: "container_paused_already" },
  unpause: {
    created: "container_not_paused",
    running: "container_not_paused",
    paused: "do",
    restarting: "container_not_paused",
    exited: "container_not_paused",
    removing: "container_not_paused",
  },
  // A task that joins a frozen cgroup (v1) sleeps until the thaw, and SIGKILL does not end it before.
  exec: { ...onlyRunning, paused: "container_paused_exec" },
  // Before the start too: the client then waits for it.
  attach: {
    created: "do",
    running: "do",
    paused: "container_paused",
    restarting: "container_restarting",
    exited: "do",
    removing: "do",
  },
  // With force, `remove` ends a running container before it asks this table.
  remove: {
    created: "do",
    running: "container_running",
    paused: "container_paused_remove",
    restarting: "container_restarting_remove",
    exited: "do",
    removing: "container_removing",
  },
};

/** @returns false when there is nothing to do. @throws {OrlopError} container_…: the operation is not allowed */
export function mustAct(operation: Operation, status: Status, container: { id: string; name: string }): boolean {
  const answer = table[operation][status];
  if (answer === "do" || answer === "nothing") return answer === "do";
  throw OrlopError.of(answer, { id: container.id, name: container.name });
}
