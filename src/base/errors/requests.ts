/** What a request, a command line or a service is refused for, whatever it is about. */

import { row } from "./row.ts";

export const requestErrors = {
  // ── requests ──
  bad_value: row<{ what: string; value: string; expected: string }>(
    "invalid",
    (p) => `invalid ${p.what} ${JSON.stringify(p.value)}`,
    (p) => `expected ${p.expected}`,
  ),
  /** Of a limit: what Docker says of it, then what was written. */
  bad_limit: row<{ reason: string; what: string; value: string }>(
    "invalid",
    (p) => p.reason,
    (p) => `${p.what} is ${p.value}`,
  ),
  bad_filter: row<{ filter: string; expected: string }>(
    "invalid",
    (p) => `invalid filter '${p.filter}'`,
    (p) => `expected ${p.expected}`,
  ),
  bad_template: row<{ what: string; template: string; reason: string }>(
    "invalid",
    (p) =>
      `invalid ${p.what} ${JSON.stringify(p.template.length > 500 ? `${p.template.slice(0, 500)}…` : p.template)}: ${p.reason}`,
    () => "--format json shows the fields that there are",
  ),
  bad_json: row<{ reason: string }>("invalid", (p) => `the request body is not valid JSON: ${p.reason}`),
  body_too_large: row<{ limitBytes: number }>("invalid", (p) => `the request body is over ${p.limitBytes} bytes`),
  unknown_field: row<{ field: string }>(
    "unsupported",
    (p) => `${p.field} is not supported`,
    () => "leave it out; docs/status.md lists what is missing",
  ),
  api_version_old: row<{ version: string; least: string }>(
    "invalid",
    (p) =>
      `client version ${p.version} is too old. Minimum supported API version is ${p.least}, please upgrade your client to a newer version`,
  ),
  api_version_new: row<{ version: string; most: string }>(
    "invalid",
    (p) => `client version ${p.version} is too new. Maximum supported API version is ${p.most}`,
    () => "DOCKER_API_VERSION chooses another",
  ),
  origin_refused: row<{ origin: string }>("denied", (p) => `web pages (${p.origin}) may not use the engine`),
  page_not_found: row<{ path: string }>("not_found", () => "page not found"),
  /** An operation of Docker's that is not there yet. */
  feature_missing: row<{ feature: string; instead: string }>(
    "unsupported",
    (p) => `${p.feature} is not supported`,
    (p) => `${p.instead}; docs/status.md lists what is missing`,
  ),
  /** Docker's words: clients ask every engine about its swarm, and know this answer. */
  no_swarm: row<object>("unavailable", () => "This node is not a swarm manager. Swarm mode is not supported"),
  not_root: row<{ doing: string }>(
    "denied",
    (p) => `${p.doing} needs root`,
    () => "run it with sudo; without root there are only orlop --help, orlop version and orlop doctor",
  ),

  // ── the command line ──
  unknown_command: row<{ command: string; group: string; nearest: string | undefined }>(
    "invalid",
    (p) => `${JSON.stringify(p.command)} is not a command`,
    (p) => (p.nearest === undefined ? `see: ${p.group} --help` : `did you mean ${JSON.stringify(p.nearest)}?`),
  ),
  unknown_flag: row<{ flag: string; command: string; nearest: string | undefined }>(
    "invalid",
    (p) => `unknown flag ${p.flag}`,
    (p) =>
      p.nearest === undefined ? `see: ${p.command} --help` : `did you mean ${p.nearest}? see: ${p.command} --help`,
  ),
  flag_needs_value: row<{ flag: string; value: string }>(
    "invalid",
    (p) => `${p.flag} needs a value`,
    (p) => `write ${p.flag} ${p.value}`,
  ),
  wrong_arguments: row<{ command: string; usage: string; given: number }>(
    "invalid",
    (p) => `${p.command} was given ${p.given === 0 ? "no" : p.given} argument${p.given === 1 ? "" : "s"}`,
    (p) => `usage: ${p.usage}`,
  ),

  flags_conflict: row<{ first: string; second: string }>(
    "invalid",
    (p) => `${p.first} and ${p.second} exclude each other`,
    () => "leave one of them out",
  ),
  nothing_to_change: row<object>(
    "invalid",
    () => "no limit is given",
    () => "say what to change, e.g. --memory 512m; see: orlop update --help",
  ),
  image_needed: row<object>(
    "invalid",
    () => "no image is named",
    () => 'name one ("host" is this machine itself), or a directory with --rootfs',
  ),
  file_unreadable: row<{ what: string; path: string; reason: string }>(
    "invalid",
    (p) => `${p.what}: cannot read ${JSON.stringify(p.path)}: ${p.reason}`,
  ),
  file_unwritable: row<{ what: string; path: string; reason: string }>(
    "invalid",
    (p) => `${p.what}: cannot make ${JSON.stringify(p.path)}: ${p.reason}`,
  ),
  one_container: row<{ flag: string }>("invalid", (p) => `${p.flag} works with one container at a time`),
  not_a_terminal: row<object>(
    "invalid",
    () => "--tty with --interactive needs a terminal, and standard input is not one",
    () => "leave out -t",
  ),

  // ── the service ──
  service_needs_systemd: row<{ program: string }>(
    "unsupported",
    () => "this machine's first process is not systemd (/run/systemd/system is not there)",
    (p) =>
      `have its init system run "${p.program} info" as root once at boot: that starts Orlop, and containers with a restart policy come back`,
  ),
  service_program_unsafe: row<{ path: string; reason: string }>(
    "denied",
    (p) => `${p.path} must not be started as root at boot: ${p.reason}`,
    () => "copy Orlop's programs to a directory that root alone can write, e.g. /opt/orlop, and install from there",
  ),
  service_socket_taken: row<{ path: string }>(
    "conflict",
    (p) => `${p.path} is there already, and is not Orlop's`,
    (p) =>
      `stop and disable the service that has it (systemctl disable --now docker.socket docker), or leave out the option that asks for ${p.path}`,
  ),
  systemctl_failed: row<{ command: string; reason: string }>(
    "unavailable",
    (p) => `systemctl ${p.command} failed: ${p.reason}`,
    () => "see: journalctl -u orlop, systemctl status orlop",
  ),
} as const;
