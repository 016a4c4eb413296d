/** Where state is kept: file system, space, and whether overlays can be made of it. */
import { dirname, join } from "node:path";
import { formatSize } from "../base/size.ts";
import { CLONE_NEWNS, MS_PRIVATE, MS_REC } from "../kernel/linux.ts";
import { isWithin, type MountInfo, parseMountInfo } from "../kernel/mountinfo.ts";
import type { Step } from "../kernel/step.ts";
import { type Finding, missing, ok, warning } from "./finding.ts";
import type { Machine } from "./machine.ts";

/** Below this, one ordinary image no longer fits. */
const littleBytes = 2e9;
const why = "doctor tries it";

export async function checkStorage(machine: Machine, stateDir: string): Promise<Finding[]> {
  const place = nearestExisting(machine, stateDir);
  const mount = mountOf(parseMountInfo(machine.readText("/proc/self/mountinfo") ?? ""), place);
  const freeBytes = machine.freeBytes(place);
  return [
    checkMount(stateDir, mount),
    freeBytes < littleBytes
      ? warning(
          "free space",
          `${formatSize(freeBytes)} at ${place}`,
          `make space there, or keep state elsewhere: orlop --root DIR`,
        )
      : ok("free space", `${formatSize(freeBytes)} at ${place}`),
    await checkOverlay(machine, place),
  ];
}

function nearestExisting(machine: Machine, path: string): string {
  return path === "/" || machine.exists(path) ? path : nearestExisting(machine, dirname(path));
}

/** The mount that a path is on: the last one with the longest mount point, because later mounts cover earlier ones. */
function mountOf(mounts: readonly MountInfo[], path: string): MountInfo | undefined {
  let best: MountInfo | undefined;
  for (const mount of mounts)
    if (isWithin(path, mount.mountPoint) && mount.mountPoint.length >= (best?.mountPoint.length ?? 0)) best = mount;
  return best;
}

/** Mount options that overlays on this mount would pass on to containers. */
const hinderingOptions = ["ro", "noexec", "nodev", "nosuid"];

function checkMount(stateDir: string, mount: MountInfo | undefined): Finding {
  const found = `${stateDir} on ${mount?.fstype ?? "an unknown file system"}`;
  const hindering = hinderingOptions.filter((option) => mount?.options.includes(option));
  if (mount === undefined || hindering.length === 0) return ok("state directory", found);
  const fix = `mount -o remount,${hindering.map((option) => (option === "ro" ? "rw" : option.replace("no", ""))).join(",")} ${mount.mountPoint} (or: orlop --root DIR)`;
  const finding = hindering.includes("ro") ? missing : warning;
  return finding("state directory", `${found}, mounted ${hindering.join(",")}`, fix);
}

async function checkOverlay(machine: Machine, place: string): Promise<Finding> {
  if (machine.uid !== 0) return warning("overlay", "only root can try it", "sudo orlop doctor");
  const directory = join(place, `.orlop-doctor-${process.pid}`);
  const made = await machine.probe([{ op: "mkdir", path: directory, mode: 0o700, why }]);
  if (made !== undefined)
    return missing("overlay", `nothing can be written to ${place}: ${made}`, "make it writable, or: orlop --root DIR");
  try {
    return await tryOverlay(machine, place, directory);
  } finally {
    await machine.probe([{ op: "remove", path: directory, why }]);
  }
}

async function tryOverlay(machine: Machine, place: string, directory: string): Promise<Finding> {
  const failure = await machine.probe([unshared, isolated, ...overlayProbe(directory)]);
  if (failure === undefined) return ok("overlay", `can be made of ${place}`);
  const onTmpfs = await machine.probe([unshared, isolated, tmpfsOn(directory), ...overlayProbe(directory)]);
  if (onTmpfs !== undefined) return missing("overlay", failure, "modprobe overlay");
  return warning(
    "overlay",
    `${failure} (on tmpfs it works: changes of containers are kept in memory)`,
    "orlop --root DIR on ext4, xfs or btrfs",
  );
}

const unshared: Step = { op: "unshare", flags: CLONE_NEWNS, why };
const isolated: Step = { op: "propagation", path: "/", flags: MS_REC | MS_PRIVATE, why };

function tmpfsOn(target: string): Step {
  return { op: "mount", fstype: "tmpfs", source: "tmpfs", target, attributes: 0, options: [], why };
}

function overlayProbe(directory: string): readonly Step[] {
  const folder = (name: string) => join(directory, name);
  const folders = ["lower", "upper", "work", "root"].map(
    (name): Step => ({ op: "mkdir", path: folder(name), mode: 0o700, why }),
  );
  const overlay: Step = {
    op: "overlay",
    target: folder("root"),
    lowers: [folder("lower")],
    upper: folder("upper"),
    work: folder("work"),
    options: [],
    why,
  };
  return [...folders, overlay];
}
