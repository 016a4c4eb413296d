/** Of images, layers and registries. */

import { row } from "./row.ts";

export const imageErrors = {
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
    (p) => `${p.what} does not match its digest: ${p.actual} instead of ${p.expected}`,
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
  several_platforms: row<{ name: string; platforms: string }>(
    "conflict",
    (p) => `multiple matching manifests found but no specific platform requested: ${p.name} is here for ${p.platforms}`,
    () => "name one with --platform, or pull the other platforms of its index too",
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
} as const;
