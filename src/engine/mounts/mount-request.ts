/** One entry of HostConfig.Mounts. Docker's rules (volume/mounts/validate.go) and words. */

import { OrlopError } from "../../base/errors.ts";
import type { MountRequest } from "../../spec/engine-api-host-config.ts";
import type { AskedMount } from "./mount-point.ts";
import { cleanTarget } from "./mount-target.ts";
import { tmpfsPoint } from "./tmpfs-mount.ts";

type Refuse = (reason: string) => OrlopError;

/** @throws {OrlopError} bad_mount, unknown_field */
export function parseMountRequest(request: MountRequest, driver: string): AskedMount {
  const type = request.Type || "volume";
  const refuse: Refuse = (reason) => OrlopError.of("bad_mount", { type, reason });
  if (type === "cluster") throw OrlopError.of("unknown_field", { field: `a mount of type ${type}` });
  if (type !== "bind" && type !== "volume" && type !== "tmpfs" && type !== "image") throw refuse("mount type unknown");
  checkOptions(request, type, refuse);
  const destination = cleanTarget(request.Target, refuse);
  if (type === "bind") return bindOf(request, destination, refuse);
  if (type === "volume") return volumeOf(request, destination, driver, refuse);
  if (type === "image") return imageOf(request, destination, refuse);
  if (request.Source !== "") throw refuse("field Source must not be specified");
  const { SizeBytes = 0, Mode = 0, Options = [] } = request.TmpfsOptions ?? {};
  const options = [
    ...(request.ReadOnly ? ["ro"] : []),
    ...(SizeBytes > 0 ? [`size=${SizeBytes}`] : []),
    ...(Mode > 0 ? [`mode=${Mode.toString(8)}`] : []),
    ...Options.map((words) => words.join("=")),
  ];
  return { ...tmpfsPoint(destination, options), listed: true };
}

/** Options of another type than the mount's. */
function checkOptions(request: MountRequest, type: string, refuse: Refuse): void {
  const of = { BindOptions: "bind", VolumeOptions: "volume", TmpfsOptions: "tmpfs", ImageOptions: "image" } as const;
  for (const [name, owner] of Object.entries(of))
    if (request[name as keyof typeof of] !== undefined && owner !== type)
      throw refuse(`field ${name} must not be specified`);
}

function bindOf(request: MountRequest, destination: string, refuse: Refuse): AskedMount {
  const { Source, ReadOnly, BindOptions } = request;
  if (Source === "") throw refuse("field Source must not be empty");
  if (!Source.startsWith("/")) throw refuse(`invalid mount path: '${Source}' mount path must be absolute`);
  const propagation = BindOptions?.Propagation || "rprivate";
  const recursive = BindOptions?.NonRecursive !== true;
  const below = BindOptions?.ReadOnlyNonRecursive !== true;
  if (BindOptions?.ReadOnlyNonRecursive && BindOptions.ReadOnlyForceRecursive)
    throw refuse("mount with ReadOnlyNonRecursive and ReadOnlyForceRecursive");
  if (BindOptions?.ReadOnlyNonRecursive && !ReadOnly) throw refuse("ReadOnlyNonRecursive needs ReadOnly");
  if (BindOptions?.ReadOnlyForceRecursive) {
    if (!ReadOnly) throw refuse("ReadOnlyForceRecursive needs ReadOnly");
    if (!recursive) throw refuse("ReadOnlyForceRecursive contradicts NonRecursive");
    if (propagation !== "rprivate") throw refuse("ReadOnlyForceRecursive needs the propagation rprivate");
  }
  return {
    type: "bind",
    source: Source,
    destination,
    readonly: ReadOnly,
    mode: "",
    propagation,
    recursive,
    readonlyBelow: below,
    missingSource: BindOptions?.CreateMountpoint ? "make" : "refuse",
  };
}

function checkSubpath(subpath: string, within: string, refuse: Refuse): void {
  if (subpath.startsWith("/") || subpath.split("/").includes(".."))
    throw refuse(`Subpath must be a relative path within the ${within}`);
}

/** The image is looked up later. */
function imageOf(request: MountRequest, destination: string, refuse: Refuse): AskedMount {
  const { Source, ImageOptions } = request;
  const subpath = ImageOptions?.Subpath ?? "";
  if (Source === "") throw refuse("field Source must not be empty");
  checkSubpath(subpath, "image", refuse);
  return { type: "image", source: Source, destination, readonly: true, mode: "", subpath, image: undefined };
}

function volumeOf(request: MountRequest, destination: string, driver: string, refuse: Refuse): AskedMount {
  const { Source, ReadOnly, VolumeOptions } = request;
  const subpath = VolumeOptions?.Subpath ?? "";
  if (subpath !== "" && Source === "") throw refuse("Subpath needs a volume with a name: a new one has no directories");
  checkSubpath(subpath, "volume", refuse);
  return {
    type: "volume",
    name: Source,
    anonymous: Source === "",
    destination,
    readonly: ReadOnly,
    mode: "z",
    copyUp: VolumeOptions?.NoCopy !== true && subpath === "",
    subpath,
    making: {
      driver: VolumeOptions?.DriverConfig?.Name || driver,
      options: VolumeOptions?.DriverConfig?.Options ?? null,
      labels: VolumeOptions?.Labels ?? null,
    },
  };
}
