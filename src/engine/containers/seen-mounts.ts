/** Which mounts of a container hold its files, and which are the kernel's file systems. Pure: reads the plan of its start. */

import type { StartPlan } from "./container-plan.ts";

type Mount = NonNullable<StartPlan["spec"]["mounts"]>[number];

/** Binds and volumes, whose files belong to the container's. Not the kernel's file systems. */
export function isOwnMount({ type, options = [] }: Mount): boolean {
  return type === "bind" || options.includes("bind") || options.includes("rbind");
}

/** Reading and copying files needs no propagation from or to the host's mounts. */
export function asPrivate(mount: Mount): Mount {
  const options = (mount.options ?? []).map((option) => (/^r?(shared|slave)$/.test(option) ? "rprivate" : option));
  return { ...mount, options };
}

/** The mount points that a walk through the container's files enters. */
export function mountPlaces({ spec }: StartPlan): string[] {
  const mounts = spec.mounts ?? [];
  const asked = mounts.filter(
    (mount) => isOwnMount(mount) || (mount.type === "tmpfs" && !mount.destination.startsWith("/dev")),
  );
  return asked.map(({ destination }) => destination);
}

/** The kernel's file systems are not copied: their files have no sizes, and reading some of them has side effects. */
const kernels = new Set(["proc", "sysfs", "cgroup", "cgroup2", "devpts", "mqueue"]);

export function isInKernels(place: string, { spec }: StartPlan): boolean {
  const around = (spec.mounts ?? []).filter(({ destination: at }) => place === at || place.startsWith(`${at}/`));
  const deepest = around.reduce<Mount | undefined>(
    (best, mount) => (best === undefined || mount.destination.length >= best.destination.length ? mount : best),
    undefined,
  );
  return deepest !== undefined && !isOwnMount(deepest) && kernels.has(deepest.type ?? "");
}

export function isInMount(place: string, plan: StartPlan): boolean {
  return mountPlaces(plan).some((path) => place === path || place.startsWith(`${path}/`));
}
