/**
 * The local driver: a volume is a directory, `volumes/NAME/_data` in the state directory; with options another file system is
 * mounted there while a container uses it. Pure.
 */

import { OrlopError } from "../base/errors.ts";
import { isName } from "../base/id.ts";
import { type MountOptions, parseMountOptions } from "../kernel/mount-options.ts";
import type { Step } from "../kernel/step.ts";

export type VolumeOptions = Readonly<Record<string, string>>;
/** null: none were given. */
type GivenOptions = VolumeOptions | null;

const known = ["type", "device", "o", "size"];

/** Checks Docker's rule for names, with its message. @throws {OrlopError} bad_volume */
export function checkVolumeName(name: string): void {
  if (name.length < 2)
    throw refusal(name, "volume name is too short, names should be at least two alphanumeric characters");
  if (!isName(name))
    throw refusal(
      name,
      `${JSON.stringify(name.slice(0, 300))} includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`,
    );
}

/** @throws {OrlopError} bad_volume for an option that the local driver does not know; bad_value for an invalid mount option */
export function checkVolumeOptions(name: string, given: GivenOptions): void {
  const options = given ?? {};
  const unknown = Object.keys(options).find((key) => !known.includes(key));
  if (unknown !== undefined) throw refusal(name, `invalid option: ${JSON.stringify(unknown)}`);
  // A directory on the disk has no quota, so a size would be an empty promise.
  if (Object.hasOwn(options, "size")) throw refusal(name, "quota size requested but no quota support");
  if (Object.keys(options).length === 0) return;
  const missing = ["device", "type"].find((key) => !Object.hasOwn(options, key));
  if (missing !== undefined) throw refusal(name, `missing required option: ${JSON.stringify(missing)}`);
  const [device, type] = [options["device"] ?? "", options["type"] ?? ""];
  if (device === "") throw refusal(name, "missing device in volume options");
  const mount = mountOptionsOf(options);
  if (mount.bind && !device.startsWith("/"))
    throw refusal(name, `device ${JSON.stringify(device)} is not an absolute path`);
  if (!mount.bind && !/^[a-zA-Z0-9_.-]+$/.test(type))
    throw refusal(name, `invalid file system type ${JSON.stringify(type)}`);
}

/** Whether a file system is mounted on its directory while it is used. */
export function isMounted(options: GivenOptions): boolean {
  return options !== null && Object.hasOwn(options, "device");
}

function mountOptionsOf(options: VolumeOptions): MountOptions {
  return parseMountOptions((options["o"] ?? "").split(",").filter((word) => word !== ""));
}

/** Mounts the file system of the options on the volume's directory, in the host's mount namespace. */
export function planVolumeMount(name: string, given: GivenOptions, path: string): Step[] {
  const options = given ?? {};
  const { bind, recursiveBind, set, clear, propagation, data } = mountOptionsOf(options);
  const [device, type] = [options["device"] ?? "", options["type"] ?? ""];
  const why = `the volume ${name} is ${type === "none" ? device : `a ${type} file system`}, mounted while a container uses it`;
  const mount: Step = bind
    ? { op: "bind", source: device, target: path, flags: recursiveBind ? 3 : 0, set, clear, why }
    : { op: "mount", fstype: type, source: device, target: path, attributes: set, options: data, why };
  if (propagation === 0) return [mount];
  return [mount, { op: "propagation", path, flags: propagation, why }];
}

export function planVolumeUnmount(path: string): Step[] {
  return [{ op: "detach", path, why: "no container uses this volume any more" }];
}

function refusal(name: string, reason: string): OrlopError {
  return OrlopError.of("bad_volume", { name: name.slice(0, 300), reason });
}
