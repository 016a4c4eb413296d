/**
 * The frame: the kernel's own file systems, with masked and read-only paths, and the container's /dev. It does not depend on the root, so it
 * is made outside of it (on directories that each container's process mounts on in its own namespace), and moved in when the root is
 * mounted.
 *
 * Masks are the last mounts in it, because nothing may be mounted over, or read through, what they hide. So when a bind mount of the
 * specification is inside one of these places, or the kernel allows these mounts only inside a root (user namespaces), there is no frame:
 * everything is mounted in the root, in the specification's order.
 */

import type { Step } from "../kernel/step.ts";
import type { MountBelow } from "../spec/runtime-spec.ts";
import { type ContainerPlanInput, groupPathOf } from "./plan-container.ts";
import { planDevices } from "./plan-devices.ts";
import { type GroupView, isBind, planMounts } from "./plan-mounts.ts";
import { isNew } from "./plan-namespaces.ts";
import { planProtect } from "./plan-protect.ts";
import { planSysctls } from "./plan-sysctls.ts";

export interface FramePlan {
  /** Host side. */
  readonly prepare: readonly Step[];
  /** In the container's process, before its root is mounted. */
  readonly make: readonly Step[];
  /** Into the root that `root` opened. */
  readonly takeIn: readonly Step[];
  /** The specification's mounts that are not in the frame. */
  readonly others: readonly MountBelow[];
  /** Behind the one of them that is /dev: later another's directory could lie there, and be given the nodes. */
  readonly devices: readonly Step[];
  /** Behind those, where the frame has none of it. */
  readonly late: readonly Step[];
}

const places = ["/proc", "/dev", "/sys"];

export function planFrame(input: ContainerPlanInput): FramePlan {
  const { spec, framePoint } = input;
  const linux = spec.linux ?? {};
  const mounts = spec.mounts ?? [];
  const inside = mounts.filter(({ destination }) => placeOf(destination) !== undefined);
  // A directory that is bind-mounted at /dev, often the host's /dev, has its own devices and gets none.
  const isFurnished = mounts.some((mount) => mount.destination === "/dev" && isBind(mount));
  const devices = isFurnished ? [] : planDevices(linux.devices ?? []);
  const late = [...planSysctls(linux, input.sandboxPath), ...planProtect(spec)];
  const furnish = [...devices, ...late];
  const tops = places.filter((place) => inside.some(({ destination }) => destination === place));
  if (isNew(linux, "user") || tops.length < places.length || !inside.every(isOwn) || !furnish.every(staysInside))
    return { prepare: [], make: [], takeIn: [], others: mounts, devices, late };
  return {
    prepare: [
      {
        op: "mkdir",
        path: framePoint,
        mode: 0o700,
        why: "an empty directory that each container mounts over in its own namespace",
      },
    ],
    make: [
      {
        op: "root",
        path: framePoint,
        why: "/proc, /dev and /sys are the same in every container: they are made here, and moved into its root later",
      },
      ...planMounts(inside, groupViewOf(input)),
      ...furnish,
    ],
    takeIn: tops.map((place) => ({
      op: "root-move",
      source: framePoint + place,
      target: place,
      why: `${place} as it was made for this container, with all that is mounted below it`,
    })),
    others: mounts.filter((mount) => !inside.includes(mount)),
    devices: [],
    late: [],
  };
}

/** The container's view of cgroups. */
export function groupViewOf({ cgroups, id, spec }: ContainerPlanInput): GroupView {
  return { layout: cgroups, path: groupPathOf(id, spec) };
}

function placeOf(path: string): string | undefined {
  return places.find((place) => path === place || path.startsWith(`${place}/`));
}

/** Made for the container by the kernel: nothing of the host's or the user's, and under the name it is written with. */
function isOwn(mount: MountBelow): boolean {
  return !isBind(mount) && !/\/(\.|\.\.)?(\/|$)/.test(mount.destination);
}

/** A device or a mask that lies elsewhere needs the root. */
function staysInside(step: Step): boolean {
  return !("path" in step) || typeof step.path !== "string" || placeOf(step.path) !== undefined;
}
