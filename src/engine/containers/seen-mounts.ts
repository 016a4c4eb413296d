/** Which of a container's mounts belong to its files, and which are the kernel's. Pure: over the plan of its start. */

import type { StartPlan } from "./container-plan.ts";

type Mount = NonNullable<StartPlan["spec"]["mounts"]>[number];

/** Binds and volumes: part of what a container's files are. Not the kernel's file systems. */
export function isOwnMount({ type, options = [] }: Mount): boolean {
  return type === "bind" || options.includes("bind") || options.includes("rbind");
}

/** For a look at its files nothing needs to reach the host's mounts, or come from there. */
export function asPrivate(mount: Mount): Mount {
  const options = (mount.options ?? []).map((option) => (/^r?(shared|slave)$/.test(option) ? "rprivate" : option));
  return { ...mount, options };
}

/** Where a look at its files goes on into another mount. */
export function mountPlaces({ spec }: StartPlan): string[] {
  const mounts = spec.mounts ?? [];
  const asked = mounts.filter(
    (mount) => isOwnMount(mount) || (mount.type === "tmpfs" && !mount.destination.startsWith("/dev")),
  );
  return asked.map(({ destination }) => destination);
}

/** The kernel's own file systems are none of its files: their sizes are no sizes, and reading them may do things. */
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
