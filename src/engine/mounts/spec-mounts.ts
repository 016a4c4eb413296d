/** The mounts of a create body: Binds, Mounts, Tmpfs, Volumes and VolumesFrom. Pure. */

import { OrlopError } from "../../base/errors.ts";
import type { HostConfig } from "../../spec/engine-api-host-config.ts";
import type { Mount } from "../../spec/runtime-spec.ts";
import { parseBind, parseMode } from "./bind-spec.ts";
import type { AskedMount, MountPoint } from "./mount-point.ts";
import { inOrder } from "./mount-point.ts";
import { parseMountRequest } from "./mount-request.ts";
import { cleanTarget } from "./mount-target.ts";
import { tmpfsPoint } from "./tmpfs-mount.ts";

/**
 * In an order in which no mount covers an earlier one. Of two mounts at one destination, one of the request itself wins over one from
 * VolumesFrom, and that over an anonymous volume.
 *
 * @param volumes    destinations of anonymous volumes: the request's and the image's
 * @param mountsFrom the mounts of another container, by its id or name
 * @throws {OrlopError} bad_bind, bad_mount, bad_mode, bad_value, duplicate_mount, unknown_field
 */
export function mountsOf(
  host: HostConfig,
  volumes: readonly string[],
  mountsFrom: (container: string) => readonly MountPoint[],
): AskedMount[] {
  const own: AskedMount[] = [
    ...host.Binds.map((text) => parseBind(text, host.VolumeDriver)),
    ...host.Mounts.map((mount) => parseMountRequest(mount, host.VolumeDriver)),
    ...Object.entries(host.Tmpfs).map(([target, options]) => tmpfsOf(target, options)),
  ];
  const targets = own.map((mount) => mount.destination);
  const twice = targets.find((target, index) => targets.indexOf(target) !== index);
  if (twice !== undefined) throw OrlopError.of("duplicate_mount", { target: twice });
  const others = host.VolumesFrom.flatMap((text) => borrowed(text, mountsFrom));
  const anonymous = volumes.map((target) => anonymousVolume(target, host.VolumeDriver));
  const mounts = inOrder(firstOfEach([...own, ...others.toReversed(), ...anonymous]));
  checkShared(mounts);
  return mounts;
}

/** Refuses mounts below a shared bind: they would be mounted on the host too, and stay there. @throws {OrlopError} bad_mount */
function checkShared(mounts: readonly AskedMount[]): void {
  for (const shared of mounts) {
    if (shared.type !== "bind" || !shared.propagation.endsWith("shared")) continue;
    const inner = mounts.find(({ destination }) => destination.startsWith(`${shared.destination}/`));
    if (inner === undefined) continue;
    const reason = `${inner.destination} lies below ${shared.destination}, whose mounts the host has too (${shared.propagation})`;
    throw OrlopError.of("bad_mount", { type: inner.type, reason });
  }
}

function firstOfEach(mounts: readonly AskedMount[]): AskedMount[] {
  const seen = new Set<string>();
  return mounts.filter(({ destination }) => !seen.has(destination) && seen.add(destination));
}

function tmpfsOf(target: string, options: string): AskedMount {
  const destination = cleanTarget(target, (reason) => OrlopError.of("bad_mount", { type: "tmpfs", reason }));
  return tmpfsPoint(destination, options === "" ? [] : options.split(","));
}

/** "CONTAINER[:MODE]". @throws {OrlopError} bad_mode, no_such_container */
function borrowed(text: string, mountsFrom: (container: string) => readonly MountPoint[]): AskedMount[] {
  const colon = text.indexOf(":");
  const container = colon < 0 ? text : text.slice(0, colon);
  const mode = parseMode(colon < 0 ? "" : text.slice(colon + 1));
  if (container === "" || mode.propagation !== "" || mode.nocopy) throw OrlopError.of("bad_mode", { mode: text });
  return mountsFrom(container).map((point): AskedMount => {
    const readonly = point.readonly || mode.readonly;
    return point.type === "volume" ? { ...point, readonly, copyUp: false } : { ...point, readonly };
  });
}

/** A destination in Volumes; a relative one is taken relative to the root, as in Docker. */
function anonymousVolume(target: string, driver: string): AskedMount {
  const refuse = (reason: string): OrlopError => OrlopError.of("bad_mount", { type: "volume", reason });
  return {
    type: "volume",
    name: "",
    anonymous: true,
    destination: cleanTarget(target === "" || target.startsWith("/") ? target : `/${target}`, refuse),
    readonly: false,
    mode: "",
    copyUp: true,
    subpath: "",
    making: { driver, options: null, labels: null },
  };
}

/** The default mounts without those that the request replaces, then the request's. A /dev of the request replaces the mounts below it too. */
export function withMounts(defaults: readonly Mount[], asked: readonly Mount[]): Mount[] {
  const targets = new Set(asked.map((mount) => mount.destination));
  const isCovered = ({ destination }: Mount): boolean =>
    targets.has(destination) || (targets.has("/dev") && destination.startsWith("/dev/"));
  return [...defaults.filter((mount) => !isCovered(mount)), ...asked];
}
