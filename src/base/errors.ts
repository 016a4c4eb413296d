/**
 * Every error a user can meet, in one table: what is wrong with which value, and what to do.
 *
 * The kind says what the caller can do about it; HTTP status (`src/api`) and exit code (`src/cli`) come from the kind alone.
 * Codes are public: add, never rename. docs/errors.md is made from this table.
 */

/** invalid: change the request. denied: change who asks. not_found, conflict: change the state. unsupported: change the
 *  machine or the version. unavailable: try again. internal: a fault of ours. */
export type ErrorKind = "invalid" | "denied" | "not_found" | "conflict" | "unsupported" | "unavailable" | "internal";

interface Row<P> {
  readonly kind: ErrorKind;
  readonly wrong: (parameters: P) => string;
  readonly remedy: (parameters: P) => string;
}

/** One row: its kind, the sentence that says what is wrong, and the one that says what to do ("" where the first says it). */
function row<P>(kind: ErrorKind, wrong: (p: P) => string, remedy: (p: P) => string = () => ""): Row<P> {
  return { kind, wrong, remedy };
}

/** How Docker begins the message of a container or an exec that did not start. */
const startFailures = {
  container: "failed to create task for container: unable to start container process",
  exec: "OCI runtime exec failed: exec failed: unable to start container process",
} as const;

/** What was to be started. */
export type Started = keyof typeof startFailures;

export const errorTable = {
  // ── requests ───────────────────────────────────────────────────────────────────────────────────────────────────────
  bad_value: row<{ what: string; value: string; expected: string }>(
    "invalid",
    (p) => `invalid ${p.what} ${JSON.stringify(p.value)}`,
    (p) => `expected ${p.expected}`,
  ),
  bad_json: row<{ reason: string }>("invalid", (p) => `the request body is not valid JSON: ${p.reason}`),
  body_too_large: row<{ limitBytes: number }>("invalid", (p) => `the request body is over ${p.limitBytes} bytes`),
  unknown_field: row<{ field: string }>(
    "unsupported",
    (p) => `${p.field} is not supported`,
    () => "leave it out; docs/status.md lists what is missing",
  ),
  api_version: row<{ version: string; least: string; most: string }>(
    "invalid",
    (p) => `API version ${p.version} is not supported`,
    (p) => `the supported ones are ${p.least} to ${p.most} (DOCKER_API_VERSION chooses one)`,
  ),
  origin_refused: row<{ origin: string }>("denied", (p) => `web pages (${p.origin}) may not use the engine`),
  page_not_found: row<{ path: string }>("not_found", () => "page not found"),
  not_root: row<{ doing: string }>(
    "denied",
    (p) => `${p.doing} needs root`,
    () => "run it with sudo; what a user who is not root can do today: orlop --help, orlop version, orlop doctor",
  ),
  // ── the service ────────────────────────────────────────────────────────────────────────────────────────────────────
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
      `stop and disable who has it (systemctl disable --now docker.socket docker), or leave out what asks for ${p.path}`,
  ),
  systemctl_failed: row<{ command: string; reason: string }>(
    "unavailable",
    (p) => `systemctl ${p.command} failed: ${p.reason}`,
    () => "see: journalctl -u orlop, systemctl status orlop",
  ),

  // ── the command line ───────────────────────────────────────────────────────────────────────────────────────────────
  unknown_command: row<{ command: string; nearest: string | undefined }>(
    "invalid",
    (p) => `${JSON.stringify(p.command)} is not a command`,
    (p) => (p.nearest === undefined ? "see: orlop --help" : `did you mean ${JSON.stringify(p.nearest)}?`),
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
    () => "--tty with --interactive needs a terminal, and standard input is none",
    () => "leave out -t",
  ),

  // ── the engine and its executor ────────────────────────────────────────────────────────────────────────────────────
  engine_unreachable: row<{ host: string; reason: string }>(
    "unavailable",
    (p) => `cannot connect to the engine at ${p.host}: ${p.reason}`,
    () => "see: orlop doctor",
  ),
  engine_broke_off: row<{ reason: string }>(
    "unavailable",
    (p) => `the engine broke off: ${p.reason}`,
    () => "try again; it starts again by itself",
  ),
  remote_failure: row<{ reason: string }>("unavailable", (p) => p.reason),
  executor_lost: row<{ reason: string }>("unavailable", (p) => `the executor ended the conversation: ${p.reason}`),
  resolver_refused: row<{ owner: string; errno: string }>(
    "internal",
    (p) => `names for ${p.owner} cannot be answered: ${p.errno}`,
    () => "its network namespace may be gone: start the container again",
  ),
  step_failed: row<{ step: string; errno: string; why: string }>(
    "internal",
    (p) => `${p.step}: ${p.errno}`,
    (p) => `this step was there because: ${p.why}`,
  ),
  internal: row<{ reason: string }>("internal", (p) => p.reason),
  limit_unsupported: row<{ limit: string; needs: string }>(
    "unsupported",
    (p) => `${p.limit} needs ${p.needs}, which this machine does not have`,
    () => "leave the limit out, or see: orlop doctor",
  ),

  unknown_capability: row<{ name: string }>(
    "invalid",
    (p) => `unknown capability: ${JSON.stringify(p.name)}`,
    () => "names are in capabilities(7), with or without CAP_; ALL means all of them",
  ),
  capability_missing: row<{ name: string }>(
    "unsupported",
    (p) => `root on this machine does not have ${p.name}, so no container can get it`,
    () => "leave it out, or start Orlop where /proc/self/status has it in CapBnd",
  ),
  capability_unsupported: row<{ name: string }>(
    "unsupported",
    (p) => `capability ${p.name} is newer than this kernel`,
    () => "leave it out: nothing here would check it",
  ),

  // ── containers ─────────────────────────────────────────────────────────────────────────────────────────────────────
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
  no_command: row<object>("invalid", () => "no command specified"),
  bind_source_missing: row<{ path: string }>(
    "invalid",
    (p) => `invalid mount config for type "bind": bind source path does not exist: ${p.path}`,
  ),
  container_running: row<{ id: string; name: string }>(
    "conflict",
    (p) =>
      `cannot remove container "${p.name}": container is running: stop the container before removing or force remove`,
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
      `the copy into container ${p.name} was given up: nothing came for ${p.seconds} s, and something else waited for it`,
    () => "copy again; what had come is there",
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
    (p) => `cannot remove container "${p.name}": container is paused and must be unpaused first`,
  ),
  pause_failed: row<{ id: string; reason: string }>(
    "unavailable",
    (p) => `Cannot pause container ${p.id}: ${p.reason}`,
    () => "a process of it may wait for a disk or a network file system; it runs on as before",
  ),
  container_not_paused: row<{ id: string; name: string }>("conflict", (p) => `Container ${p.id} is not paused`),
  same_name: row<{ name: string }>(
    "invalid",
    (p) => `Renaming a container with the same name as its current name (${p.name})`,
  ),
  update_conflict: row<{ reason: string }>("conflict", (p) => `Conflicting options: ${p.reason}`),
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
  ),
  exec_not_found: row<{ command: string; started: Started }>(
    "invalid",
    (p) =>
      `${startFailures[p.started]}: exec: ${JSON.stringify(p.command)}: stat ${p.command}: no such file or directory: unknown`,
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
  setting_refused: row<{ setting: string; reason: string; started: Started }>(
    "invalid",
    (p) => `${startFailures[p.started]}: error during container init: ${p.setting}: ${p.reason}`,
  ),
  cwd_failed: row<{ path: string; reason: string; started: Started }>(
    "invalid",
    (p) => `${startFailures[p.started]}: chdir to ${JSON.stringify(p.path)}: ${p.reason}`,
    () => "choose another working directory (-w)",
  ),
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
      `cannot remove container "${p.name}": container is restarting: stop the container before removing or force remove`,
  ),

  // ── execs ──────────────────────────────────────────────────────────────────────────────────────────────────────────
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
  // ── volumes and mounts ─────────────────────────────────────────────────────────────────────────────────────────────
  no_such_volume: row<{ name: string }>("not_found", (p) => `get ${p.name}: no such volume`),
  bad_volume: row<{ name: string; reason: string }>("invalid", (p) => `create ${p.name}: ${p.reason}`),
  volume_driver_unknown: row<{ name: string; driver: string }>(
    "not_found",
    (p) => `create ${p.name}: error looking up volume plugin ${p.driver}: plugin ${JSON.stringify(p.driver)} not found`,
  ),
  volume_in_use: row<{ name: string; containers: string }>(
    "conflict",
    (p) => `remove ${p.name}: volume is in use - [${p.containers}]`,
  ),
  volume_mount_failed: row<{ path: string; device: string; type: string; reason: string }>(
    "invalid",
    (p) =>
      `error while mounting volume '${p.path}': failed to mount local volume: mount ${p.device}:${p.path}, type ${p.type}: ${p.reason}`,
  ),
  bad_bind: row<{ text: string; reason: string }>(
    "invalid",
    (p) => `invalid volume specification: '${p.text}'${p.reason === "" ? "" : `: ${p.reason}`}`,
  ),
  bad_mount: row<{ type: string; reason: string }>(
    "invalid",
    (p) => `invalid mount config for type ${JSON.stringify(p.type)}: ${p.reason}`,
  ),
  // Not 404: the docker CLI would take it for the image's and pull.
  no_lender: row<{ container: string }>("invalid", (p) => `No such container: ${p.container}`),
  bad_mode: row<{ mode: string }>("invalid", (p) => `invalid mode: ${p.mode}`),
  volume_over_file: row<{ path: string }>(
    "invalid",
    (p) => `cannot mount volume over existing file, file exists ${p.path}`,
  ),
  volume_fill_failed: row<{ name: string; reason: string }>(
    "unavailable",
    (p) => `error while copying the image's content into volume ${p.name}: ${p.reason}`,
  ),
  mount_failed: row<{ source: string; target: string; reason: string }>(
    "invalid",
    (p) =>
      `${startFailures.container}: error mounting ${JSON.stringify(p.source)} to rootfs at ${JSON.stringify(p.target)}: ${p.reason}`,
  ),
  not_shared: row<{ path: string; mount: string; needed: string }>(
    "invalid",
    (p) => `path ${p.path} is mounted on ${p.mount} but it is not a ${p.needed} mount`,
    () => "make it one first, e.g. mount --make-rshared",
  ),
  // ── a container's files ────────────────────────────────────────────────────────────────────────────────────────────
  file_not_found: row<{ path: string; container: string }>(
    "not_found",
    (p) => `Could not find the file ${p.path} in container ${p.container}`,
  ),
  not_a_directory: row<{ path: string }>(
    "invalid",
    (p) => `extraction point is not a directory: ${p.path}`,
    () => "name a directory of the container",
  ),
  no_overwrite_directory: row<{ path: string }>(
    "invalid",
    (p) => `cannot overwrite directory ${JSON.stringify(p.path)} with non-directory`,
  ),
  no_overwrite_file: row<{ path: string }>(
    "invalid",
    (p) => `cannot overwrite non-directory ${JSON.stringify(p.path)} with directory`,
  ),
  read_only_root: row<object>("denied", () => "container rootfs is marked read-only"),
  copy_refused: row<{ entry: string; reason: string }>(
    "invalid",
    (p) => `the archive's entry ${p.entry} is refused: ${p.reason}`,
  ),
  copy_mismatch: row<{ path: string; reason: string }>(
    "invalid",
    (p) => `cannot copy to ${JSON.stringify(p.path)}: ${p.reason}`,
  ),
  terminal_output: row<{ flag: string }>(
    "invalid",
    () => "an archive is not written to a terminal",
    (p) => `use ${p.flag} FILE, or redirect the output`,
  ),
  files_failed: row<{ errno: string; detail: string }>(
    "unavailable",
    (p) => `${p.errno === "ENOSPC" ? "no space left on device" : p.errno}${p.detail === "" ? "" : `: ${p.detail}`}`,
  ),
  ended_meanwhile: row<{ name: string }>(
    "unavailable",
    (p) => `container ${p.name} ended at this moment`,
    () => "try again",
  ),
  changes_in_memory: row<{ name: string }>(
    "unsupported",
    (p) => `the changes of container ${p.name} lie in memory, where only its own processes see them`,
    () => "keep Orlop's state (--root) on a file system that overlay can write to",
  ),
  duplicate_mount: row<{ target: string }>("invalid", (p) => `Duplicate mount point: ${p.target}`),
  // ── networks ───────────────────────────────────────────────────────────────────────────────────────────────────────
  no_such_network: row<{ reference: string }>("not_found", (p) => `network ${p.reference} not found`),
  ambiguous_network: row<{ prefix: string }>(
    "invalid",
    (p) => `network ${p.prefix} is ambiguous: several begin like this`,
  ),
  network_name_in_use: row<{ name: string }>("conflict", (p) => `network with name ${p.name} already exists`),
  network_built_in: row<{ name: string }>("denied", (p) => `${p.name} is a pre-defined network and cannot be removed`),
  network_name_built_in: row<{ name: string }>(
    "denied",
    (p) => `operation is not permitted on predefined ${p.name} network`,
    () => "choose another name",
  ),
  network_in_use: row<{ name: string; members: string }>(
    "denied",
    (p) => `error while removing network: network ${p.name} has active endpoints (${p.members})`,
    () => "disconnect or stop them first",
  ),
  no_such_driver: row<{ driver: string }>(
    "not_found",
    (p) => `could not find plugin ${p.driver} in v1 plugin registry: plugin not found`,
    (p) =>
      p.driver === "ipvlan"
        ? "Orlop has no ipvlan yet; the drivers are bridge and macvlan"
        : "the drivers are bridge and macvlan",
  ),
  subnet_overlaps: row<{ subnet: string }>(
    "denied",
    (p) => `Pool overlaps with other one on this address space: ${p.subnet}`,
    () => "see: orlop network ls, orlop network inspect",
  ),
  subnet_hides_route: row<{ subnet: string; route: string }>(
    "denied",
    (p) => `Pool overlaps with other one on this address space: ${p.subnet}: this host has a route to ${p.route}`,
    () => "see: ip route; what it leads to could not be reached any more",
  ),
  no_subnet_left: row<{ version: string }>(
    "unavailable",
    (p) =>
      `could not find an available, non-overlapping ${p.version} address pool among the defaults to assign to the network`,
    () => "name one with --subnet",
  ),
  addresses_exhausted: row<{ network: string; version: number }>(
    "unavailable",
    (p) => `no available IPv${p.version} addresses on this network's address pools: ${p.network}`,
    () => "a larger --subnet or --ip-range has more",
  ),
  address_in_use: row<{ address: string; network: string }>(
    "denied",
    (p) => `Address already in use: ${p.address} on network ${p.network}`,
  ),
  address_outside: row<{ address: string; network: string }>(
    "invalid",
    (p) => `invalid address ${p.address}: It does not belong to any of this network's subnets (${p.network})`,
  ),
  address_not_configured: row<{ address: string }>(
    "invalid",
    (p) =>
      `user specified IP address is supported only when connecting to networks with user configured subnets (${p.address})`,
    () => "make the network with --subnet",
  ),
  address_not_allowed: row<{ network: string }>(
    "invalid",
    (p) => `user specified IP address is supported on user defined networks only, not on ${p.network}`,
  ),
  alias_not_allowed: row<{ network: string }>(
    "invalid",
    (p) => `network-scoped aliases are only supported for user-defined networks, not for ${p.network}`,
  ),
  network_mode_excludes: row<{ mode: string; what: string }>(
    "invalid",
    (p) => `conflicting options: ${p.what} and the network mode (${p.mode})`,
  ),
  several_networks: row<{ networks: string }>(
    "invalid",
    (p) => `Container cannot be created with multiple network endpoints: ${p.networks}`,
    () => "connect it to the others afterwards, or speak API 1.44 or later",
  ),
  connect_refused: row<{ name: string; mode: string }>(
    "denied",
    (p) => `container ${p.name} cannot be connected to or disconnected from networks: its network mode is ${p.mode}`,
  ),
  already_connected: row<{ name: string; network: string }>(
    "denied",
    (p) => `endpoint with name ${p.name} already exists in network ${p.network}`,
  ),
  not_connected: row<{ name: string; network: string }>(
    "denied",
    (p) => `container ${p.name} is not connected to the network ${p.network}`,
  ),
  no_such_link: row<{ name: string }>(
    "not_found",
    (p) => `this host has no link ${JSON.stringify(p.name)}`,
    () => "macvlan's option parent names one that ip link shows",
  ),
  link_in_use: row<{ name: string; network: string }>(
    "denied",
    (p) => `the link ${p.name} is already used by ${p.network}`,
  ),
  port_taken: row<{ endpoint: string; id: string; binding: string; holder: string }>(
    "internal",
    (p) =>
      `driver failed programming external connectivity on endpoint ${p.endpoint} (${p.id}): Bind for ${p.binding} failed: port is already allocated (${p.holder})`,
  ),
  port_refused: row<{ endpoint: string; id: string; binding: string; reason: string }>(
    "internal",
    (p) =>
      `driver failed programming external connectivity on endpoint ${p.endpoint} (${p.id}): Bind for ${p.binding} failed: ${p.reason}`,
  ),
  nft_missing: row<object>(
    "unavailable",
    () => "bridge networks need the program nft",
    () => "install it (apt-get install nftables), or use --network none or host",
  ),
  nft_failed: row<{ reason: string }>(
    "unavailable",
    (p) => `nft refused the rules of the bridge networks: ${p.reason}`,
    () => "does this kernel have nf_tables with nat, fib and masquerade?",
  ),
  // ── images ─────────────────────────────────────────────────────────────────────────────────────────────────────────
  bad_reference: row<{ reference: string; reason: string }>(
    "invalid",
    (p) => `invalid reference format: ${JSON.stringify(p.reference)}: ${p.reason}`,
  ),
  bad_digest: row<{ text: string }>(
    "invalid",
    (p) => `${JSON.stringify(p.text)} is not a digest`,
    () => 'expected "sha256:" and 64 lower-case hexadecimal digits',
  ),
  unsupported_digest: row<{ algorithm: string }>(
    "unsupported",
    (p) => `digest algorithm ${p.algorithm} is not supported`,
    () => "use a sha256 digest",
  ),
  bad_tar: row<{ reason: string; offset: number }>(
    "invalid",
    (p) => `the tar archive is damaged at byte ${p.offset}: ${p.reason}`,
  ),
  bad_manifest: row<{ name: string; what: string; reason: string }>(
    "invalid",
    (p) => `the ${p.what} of ${p.name} is not valid: ${p.reason}`,
  ),
  unsupported_image: row<{ name: string; what: string }>(
    "unsupported",
    (p) => `${p.name} is not an image that can run: ${p.what}`,
  ),
  no_matching_platform: row<{ name: string; platform: string; offered: string }>(
    "not_found",
    (p) => `no matching manifest for ${p.platform} in the manifest list entries of ${p.name}`,
    (p) => `it has ${p.offered || "none"}`,
  ),
  digest_mismatch: row<{ what: string; expected: string; actual: string }>(
    "unavailable",
    (p) => `${p.what} is not what its digest says: ${p.actual} instead of ${p.expected}`,
  ),
  size_mismatch: row<{ what: string; expected: number; actual: string }>(
    "unavailable",
    (p) => `${p.what} should have ${p.expected} bytes, and has ${p.actual}`,
  ),
  manifest_unknown: row<{ reference: string }>(
    "not_found",
    (p) => `manifest for ${p.reference} not found: manifest unknown: manifest unknown`,
  ),
  bad_change: row<{ change: string; reason: string }>(
    "invalid",
    (p) => `the change ${JSON.stringify(p.change)} is refused: ${p.reason}`,
    () =>
      "CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME and WORKDIR can be changed",
  ),
  bad_image_archive: row<{ reason: string }>(
    "invalid",
    (p) => `the archive holds no image: ${p.reason}`,
    () => "expected what docker save, podman save, skopeo (docker-archive, oci-archive) or umoci make",
  ),
  layer_refused: row<{ entry: string; reason: string }>(
    "invalid",
    (p) => `the layer's entry ${p.entry} is refused: ${p.reason}`,
  ),
  layer_failed: row<{ errno: string; detail: string }>(
    "unavailable",
    (p) => `unpacking the layer failed: ${p.errno === "ENOSPC" ? "no space left on device" : p.errno} (${p.detail})`,
  ),
  bad_compression: row<{ method: string; reason: string }>(
    "invalid",
    (p) => `the ${p.method} data is damaged: ${p.reason}`,
  ),
  unsupported_compression: row<{ name: string }>(
    "unsupported",
    (p) => `${p.name} compression is not supported`,
    () => "compress it with gzip or zstd, or not at all",
  ),
  platform_mismatch: row<{ reference: string; wanted: string; actual: string }>(
    "not_found",
    (p) =>
      `image with reference ${p.reference} was found but does not provide the specified platform (${p.wanted}): it is for ${p.actual}`,
  ),
  // Docker's words: its clients and tests look for "conflict: unable to …".
  image_name_used: row<{ name: string; container: string; image: string }>(
    "conflict",
    (p) =>
      `conflict: unable to remove repository reference "${p.name}" (must force) - container ${p.container} is using its referenced image ${p.image}`,
  ),
  image_running: row<{ image: string; container: string }>(
    "conflict",
    (p) =>
      `conflict: unable to delete ${p.image} (cannot be forced) - image is being used by running container ${p.container}`,
  ),
  image_stopped_user: row<{ image: string; container: string }>(
    "conflict",
    (p) =>
      `conflict: unable to delete ${p.image} (must be forced) - image is being used by stopped container ${p.container}`,
  ),
  image_names: row<{ image: string }>(
    "conflict",
    (p) => `conflict: unable to delete ${p.image} (must be forced) - image is referenced in multiple repositories`,
  ),
  image_built_in: row<{ name: string; doing: string }>(
    "conflict",
    (p) => `cannot ${p.doing} ${p.name}: it is this machine itself`,
  ),
  not_an_image_name: row<{ name: string }>(
    "invalid",
    (p) => `refusing to create a tag with a digest reference: ${p.name}`,
  ),
  name_not_here: row<{ name: string }>("not_found", (p) => `An image does not exist locally with the tag: ${p.name}`),
  no_tags: row<{ repository: string }>("not_found", (p) => `${p.repository} has no tags`),
  disk_full: row<{ doing: string }>(
    "unavailable",
    (p) => `${p.doing}: no space left on device`,
    () => "what was written for it is removed again; make room, e.g. with orlop image prune -a",
  ),
  too_many_layers: row<{ name: string; count: number; most: number }>(
    "unsupported",
    (p) => `${p.name} has ${p.count} layers, and at most ${p.most} can be stacked`,
    () => "build it with fewer steps, or flatten it",
  ),
  blob_unknown: row<{ digest: string }>("not_found", (p) => `blob ${p.digest} not found: blob unknown`),
  registry_denied: row<{ repository: string; reason: string; doing: string }>(
    "denied",
    (p) =>
      `${p.doing} access denied for ${p.repository}, repository does not exist or may require 'docker login': denied: ${p.reason}`,
  ),
  realm_refused: row<{ host: string; realm: string }>(
    "denied",
    (p) => `${p.host} wants its credentials sent to ${p.realm}`,
    (p) => `if that is right, add realms = ["${p.realm}"] to its table in registries.toml`,
  ),
  registry_unauthorized: row<{ host: string; reason: string }>(
    "denied",
    (p) => `${p.host} refuses these credentials: unauthorized: ${p.reason}`,
  ),
  helper_failed: row<{ helper: string; reason: string }>(
    "unavailable",
    (p) => `the credential helper docker-credential-${p.helper} failed: ${p.reason}`,
    () => "see credsStore and credHelpers in ~/.docker/config.json",
  ),
  not_logged_in: row<{ host: string }>("not_found", (p) => `not logged in to ${p.host}`),
  bad_configuration: row<{ path: string; reason: string }>("invalid", (p) => `${p.path} is not valid: ${p.reason}`),
  registry_unreachable: row<{ url: string; reason: string }>(
    "unavailable",
    (p) => `cannot reach ${p.url}: ${p.reason}`,
  ),
  registry_failed: row<{ url: string; status: number; reason: string }>(
    "unavailable",
    (p) => `${p.url} answered ${p.status}: ${p.reason}`,
  ),
  registry_broken: row<{ url: string; reason: string }>(
    "unavailable",
    (p) => `${p.url} does not follow the distribution specification: ${p.reason}`,
  ),
} as const satisfies Record<string, unknown>;

export type ErrorCode = keyof typeof errorTable;
type ParametersOf<C extends ErrorCode> = (typeof errorTable)[C] extends Row<infer P> ? P : never;

/** An error a user can meet. `message` is one line: what is wrong, then what to do. */
export class OrlopError extends Error {
  readonly code: ErrorCode;
  readonly kind: ErrorKind;

  private constructor(code: ErrorCode, kind: ErrorKind, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "OrlopError";
    this.code = code;
    this.kind = kind;
  }

  /** The error of this code, e.g. `OrlopError.of("no_such_container", { id })`. */
  static of<C extends ErrorCode>(code: C, parameters: ParametersOf<C>, cause?: unknown): OrlopError {
    const entry = errorTable[code] as unknown as Row<ParametersOf<C>>;
    const remedy = entry.remedy(parameters);
    const message = entry.wrong(parameters) + (remedy === "" ? "" : `: ${remedy}`);
    return new OrlopError(code, entry.kind, message, cause);
  }

  /** An error that another thread threw: of a message between threads only these two parts are left. */
  static again(code: ErrorCode, message: string): OrlopError {
    return new OrlopError(code, errorTable[code].kind, message);
  }
}
