/** A container's mounts in the Engine API's spelling (MountPoint), as `inspect` and `ps` show them. */

import type { Container } from "../engine/containers/container.ts";
import type { MountPoint } from "../engine/mounts/mount-point.ts";

export function mountsJson(container: Container): unknown[] {
  return container.record.mounts.filter(isListed).map((point) => {
    const place = { Destination: point.destination, Mode: point.mode, RW: !point.readonly };
    if (point.type === "volume")
      return {
        Type: "volume",
        Name: point.name,
        Source: container.volumePath(point.name),
        Destination: point.destination,
        Driver: "local",
        Mode: point.mode,
        RW: !point.readonly,
        Propagation: "",
      };
    if (point.type === "bind") return { Type: "bind", Source: point.source, ...place, Propagation: point.propagation };
    return { Type: point.type, Source: point.type === "image" ? point.source : "", ...place, Propagation: "" };
  });
}

function isListed(point: MountPoint): boolean {
  return point.type !== "tmpfs" || point.listed;
}
