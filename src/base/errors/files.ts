/** Of volumes, mounts, and a container's files. */

import { row } from "./row.ts";
import { startFailures } from "./start-failures.ts";

export const fileErrors = {
  // ── volumes and mounts ──
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
  volume_server_unknown: row<{ server: string; reason: string }>(
    "invalid",
    (p) => `error resolving passed in network volume address: ${p.server}: ${p.reason}`,
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
  bad_mode: row<{ mode: string }>(
    "invalid",
    (p) => `invalid mode: ${p.mode}`,
    () => "expected ro or rw, and where there is more to say nocopy, z, Z or a propagation such as rslave, with commas",
  ),
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
    (p) =>
      /^(EISDIR|ENOTDIR)\b/.test(p.reason)
        ? "Are you trying to mount a directory onto a file (or vice-versa)? Check if the specified host path exists and is the expected type"
        : "",
  ),
  not_shared: row<{ path: string; mount: string; needed: string }>(
    "invalid",
    (p) => `path ${p.path} is mounted on ${p.mount} but it is not a ${p.needed} mount`,
    () => "make it one first, e.g. mount --make-rshared",
  ),

  // ── a container's files ──
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
  read_only_volume: row<object>("denied", () => "mounted volume is marked read-only"),
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
  changes_too_many: row<{ name: string; limitBytes: number }>(
    "unsupported",
    (p) => `the paths that container ${p.name} changed are longer than ${p.limitBytes} bytes altogether`,
    () => "see to it with `orlop export`, or remove what the container made",
  ),
  duplicate_mount: row<{ target: string }>("invalid", (p) => `Duplicate mount point: ${p.target}`),
} as const;
