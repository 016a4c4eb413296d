/** Of containers and their execs: what state they are in, and what they cannot start. */

import { row } from "./row.ts";
import { type Started, startFailures } from "./start-failures.ts";

export const containerErrors = {
  // ── containers ──
  no_such_container: row<{ id: string }>("not_found", (p) => `No such container: ${p.id}`),
  no_such_image: row<{ reference: string }>("not_found", (p) => `No such image: ${p.reference}`),
  exit_unknown: row<{ id: string }>(
    "unavailable",
    (p) => `the engine was restarted, and container ${p.id} is gone: its exit code is not known`,
  ),
  not_running: row<{ id: string }>(
    "conflict",
    (p) => `container ${p.id} is not running`,
    (p) => `start it first (orlop start ${p.id})`,
  ),
  name_in_use: row<{ name: string; id: string }>(
    "conflict",
    (p) =>
      `Conflict. The container name "/${p.name}" is already in use by container "${p.id}". You have to remove (or rename) that container to be able to reuse that name.`,
  ),
  no_device_driver: row<{ driver: string; capabilities: string }>(
    "unsupported",
    (p) => `could not select device driver ${JSON.stringify(p.driver)} with capabilities: [${p.capabilities}]`,
    () => "name the device itself (--device)",
  ),
  // Docker's words, which its clients show and look for.
  bad_container_name: row<{ name: string }>(
    "invalid",
    (p) => `Invalid container name (${p.name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
    () => "a name has at least two characters, the first a letter or digit",
  ),
  bad_working_directory: row<{ path: string }>(
    "invalid",
    (p) => `the working directory '${p.path}' is invalid, it needs to be an absolute path`,
  ),
  no_such_user: row<{ user: string }>(
    "invalid",
    (p) => `unable to find user ${p.user}: no matching entries in passwd file`,
    () => "name one of the container's /etc/passwd, or a number",
  ),
  no_such_group: row<{ group: string }>(
    "invalid",
    (p) => `unable to find group ${p.group}: no matching entries in group file`,
    () => "name one of the container's /etc/group, or a number",
  ),
  bad_signal: row<{ signal: string; most: number }>(
    "invalid",
    (p) => `invalid signal: ${p.signal}`,
    (p) => `expected a name such as SIGTERM, TERM or SIGRTMIN+3, or a number from 1 to ${p.most}`,
  ),
  no_stream: row<object>(
    "invalid",
    () => "Bad parameters: you must choose at least one stream",
    () => "stdout=1, stderr=1 or both",
  ),
  bad_detach_keys: row<{ keys: string }>(
    "invalid",
    (p) => `Invalid escape keys (${p.keys}) provided`,
    () => "expected characters or ctrl-LETTER, separated by commas, at most 64 characters",
  ),
  bad_device: row<{ device: string; reason: string }>(
    "invalid",
    (p) => `error gathering device information while adding custom device ${JSON.stringify(p.device)}: ${p.reason}`,
  ),
  unknown_runtime: row<{ name: string }>(
    "invalid",
    (p) => `unknown or invalid runtime name: ${p.name}`,
    () => "leave it out: the executor is the only one",
  ),
  bad_security_option: row<{ option: string }>(
    "invalid",
    (p) => `invalid --security-opt 2: ${JSON.stringify(p.option)}`,
    () =>
      "expected no-new-privileges, seccomp=unconfined, seccomp=PROFILE, apparmor=PROFILE, label=disable or systempaths=unconfined",
  ),
  /** Docker's words, its status too. */
  default_link_name: row<object>(
    "internal",
    () => "Conflict, cannot remove the default link name of the container",
    () => "name the link: CONTAINER/ALIAS",
  ),
  no_command: row<object>("invalid", () => "no command specified"),
  bind_source_missing: row<{ path: string }>(
    "invalid",
    (p) => `invalid mount config for type "bind": bind source path does not exist: ${p.path}`,
  ),
  container_running: row<{ id: string; name: string }>(
    "conflict",
    (p) =>
      `cannot remove container "/${p.name}": container is running: stop the container before removing or force remove`,
  ),
  /** Docker's words, its status too; the reason is ours. */
  unkillable: row<{ doing: string; id: string; name: string; what: string; reason: string }>(
    "internal",
    (p) =>
      p.doing === "remove"
        ? `cannot remove container "/${p.name}": could not kill: ${p.what}: ${p.reason}`
        : `cannot ${p.doing} container: ${p.id}: ${p.what}: ${p.reason}`,
    () => "it goes on by itself as soon as the kernel lets these processes go",
  ),
  copy_stalled: row<{ name: string; seconds: number }>(
    "unavailable",
    (p) =>
      `the copy into container ${p.name} was given up: nothing came for ${p.seconds} s, and something else waited for the container`,
    () => "copy again; what had arrived was kept",
  ),
  container_not_running: row<{ id: string; name: string }>("conflict", (p) => `container ${p.id} is not running`),
  container_paused: row<{ id: string; name: string }>(
    "conflict",
    (p) => `Container ${p.id} is paused, unpause the container first`,
    (p) => `orlop unpause ${p.name}`,
  ),
  container_paused_exec: row<{ id: string; name: string }>(
    "conflict",
    (p) => `Container ${p.id} is paused, unpause the container before exec`,
  ),
  container_paused_already: row<{ id: string; name: string }>("conflict", (p) => `Container ${p.id} is already paused`),
  container_paused_start: row<{ id: string; name: string }>(
    "conflict",
    () => "cannot start a paused container, try unpause instead",
  ),
  container_paused_remove: row<{ id: string; name: string }>(
    "conflict",
    (p) => `cannot remove container "/${p.name}": container is paused and must be unpaused first`,
  ),
  pause_failed: row<{ id: string; reason: string }>(
    "unavailable",
    (p) => `Cannot pause container ${p.id}: ${p.reason}`,
    () => "one of its processes may be waiting for a disk or a network file system; the container runs on as before",
  ),
  container_not_paused: row<{ id: string; name: string }>("conflict", (p) => `Container ${p.id} is not paused`),
  same_name: row<{ name: string }>(
    "invalid",
    (p) => `Renaming a container with the same name as its current name (${p.name})`,
  ),
  update_conflict: row<{ id: string; reason: string }>(
    "conflict",
    (p) => `Cannot update container ${p.id}: ${p.reason}`,
  ),
  uts_excludes_hostname: row<object>("invalid", () => "conflicting options: hostname and the UTS mode"),
  update_failed: row<{ id: string; reason: string }>(
    "conflict",
    (p) => `Cannot update container ${p.id}: ${p.reason}`,
    () => "everything is as it was before",
  ),
  prune_running: row<object>("conflict", () => "a prune operation is already running"),
  container_removing: row<{ id: string; name: string }>(
    "conflict",
    (p) => `removal of container ${p.name} is already in progress`,
  ),
  // Docker's clients look for these words, and exit with 127 or 126 (docker/cli command/container/run.go).
  exec_not_in_path: row<{ command: string; started: Started }>(
    "invalid",
    (p) =>
      `${startFailures[p.started]}: exec: ${JSON.stringify(p.command)}: executable file not found in $PATH: unknown`,
    (p) => (p.command.startsWith("-") ? "flags stand before the name of the image or the container" : ""),
  ),
  exec_not_found: row<{ command: string; started: Started }>(
    "invalid",
    (p) =>
      `${startFailures[p.started]}: exec: ${JSON.stringify(p.command)}: stat ${p.command}: no such file or directory: unknown`,
    () => "or it is there, and the interpreter that its #! line or its ELF header names is not",
  ),
  exec_denied: row<{ command: string; started: Started }>(
    "invalid",
    (p) => `${startFailures[p.started]}: exec: ${JSON.stringify(p.command)}: permission denied: unknown`,
  ),
  exec_is_directory: row<{ command: string; started: Started }>(
    "invalid",
    (p) =>
      `${startFailures[p.started]}: exec: ${JSON.stringify(p.command)}: is a directory: permission denied: unknown`,
  ),
  exec_format: row<{ command: string; started: Started }>(
    "invalid",
    (p) =>
      `${startFailures[p.started]}: exec: ${JSON.stringify(p.command)}: exec format error: permission denied: unknown`,
    () => "is it a program for another machine, or a script without #! line?",
  ),
  exec_too_long: row<{ command: string; started: Started }>(
    "invalid",
    (p) => `${startFailures[p.started]}: exec: ${JSON.stringify(p.command)}: argument list too long`,
    () => "arguments and environment may have 2 MiB together, and 128 KiB each: pass a file instead",
  ),
  setting_refused: row<{ setting: string; reason: string; started: Started }>(
    "invalid",
    (p) => `${startFailures[p.started]}: error during container init: ${p.setting}: ${p.reason}`,
  ),
  cwd_failed: row<{ path: string; reason: string; started: Started }>(
    "invalid",
    (p) => `${startFailures[p.started]}: chdir to ${JSON.stringify(p.path)}: ${p.reason}`,
    () => "choose another working directory (-w)",
  ),
  ps_failed: row<{ reason: string }>("invalid", (p) => `ps: ${p.reason.replace(/^ps: /, "")}`),
  no_pid_column: row<object>(
    "invalid",
    () => "Couldn't find PID field in ps output",
    () => "add pid to the columns of -o",
  ),

  donor_not_running: row<{ what: string; id: string }>(
    "conflict",
    (p) => `cannot join ${p.what} of a non running container: ${p.id}`,
  ),
  // Not "not found": clients would take that for a missing image.
  no_donor: row<{ what: string; id: string }>(
    "invalid",
    (p) => `cannot join ${p.what} of a container that is not there: No such container: ${p.id}`,
  ),
  donor_not_shareable: row<{ id: string }>(
    "conflict",
    (p) => `can't join IPC of container ${p.id}: non-shareable IPC`,
    () => "make that container with IPC mode shareable (--ipc shareable)",
  ),
  bad_restart_policy: row<{ reason: string }>("invalid", (p) => `invalid restart policy: ${p.reason}`),
  restart_and_remove: row<object>("invalid", () => "can't create 'AutoRemove' container with restart policy"),
  container_restarting: row<{ id: string; name: string }>(
    "conflict",
    (p) => `Container ${p.id} is restarting, wait until the container is running`,
  ),
  container_restarting_remove: row<{ id: string; name: string }>(
    "conflict",
    (p) =>
      `cannot remove container "/${p.name}": container is restarting: stop the container before removing or force remove`,
  ),

  // ── execs ──
  no_such_exec: row<{ id: string }>("not_found", (p) => `No such exec instance: ${p.id}`),
  exec_running: row<{ id: string }>("conflict", (p) => `exec ${p.id} is running already`),
  exec_ended: row<{ id: string }>(
    "conflict",
    (p) => `exec ${p.id} has already run`,
    () => "make another one",
  ),
  ambiguous_id: row<{ prefix: string }>("invalid", (p) => `Multiple IDs found with provided prefix: ${p.prefix}`),
  logs_unreadable: row<object>(
    "unsupported",
    () => "configured logging driver does not support reading",
    () => "it was made with the log driver none",
  ),
} as const;
