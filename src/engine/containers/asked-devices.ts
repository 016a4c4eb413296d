/** Looks up HostConfig.Devices on the host. */

import { statSync } from "node:fs";
import { normalize } from "node:path";
import { OrlopError } from "../../base/errors.ts";
import { deviceAt, hostDevices } from "../../runtime/machine-facts.ts";
import type { DeviceRequest } from "../../spec/engine-api-host-config.ts";
import type { Device } from "../../spec/runtime-spec.ts";
import type { AskedDevice } from "./container-spec.ts";

/** @throws {OrlopError} bad_value for a bad access; bad_device for a path that does not exist or is no device */
export function lookUpDevices(requests: readonly DeviceRequest[]): AskedDevice[] {
  return requests.flatMap(({ PathOnHost, PathInContainer, CgroupPermissions }) => {
    if (!/^[rwm]{1,3}$/.test(CgroupPermissions))
      throw OrlopError.of("bad_value", { what: "device access", value: CgroupPermissions, expected: "letters of rwm" });
    const target = PathInContainer || PathOnHost;
    return nodesAt(PathOnHost, target).map((device) => ({ device, access: CgroupPermissions }));
  });
}

/** One node; for a directory, every node below it. */
function nodesAt(source: string, target: string): Device[] {
  const refuse = (reason: string): OrlopError => OrlopError.of("bad_device", { device: source, reason });
  if (!source.startsWith("/") || !target.startsWith("/")) throw refuse("paths must be absolute");
  const status = statSync(source, { throwIfNoEntry: false });
  if (status === undefined) throw refuse("no such file or directory");
  // Directories elsewhere hold no devices, and some are endless.
  if (status.isDirectory() && !/^\/dev(\/|$)/.test(normalize(source))) throw refuse("a directory must be one of /dev");
  const nodes = status.isDirectory() ? hostDevices(source) : [deviceAt(source)].filter((node) => node !== undefined);
  if (nodes.length === 0) throw refuse("it is none");
  return nodes.map((device) => ({ ...device, path: target + device.path.slice(source.length) }));
}
