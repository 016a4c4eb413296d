/** The plan of a container's start, made from request, machine and root. Reads files, changes nothing. */

import { existsSync, realpathSync } from "node:fs";
import { OrlopError } from "../../base/errors.ts";
import { planGroupParent } from "../../kernel/cgroup/parent.ts";
import { MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID } from "../../kernel/linux.ts";
import { visibleMounts } from "../../kernel/mountinfo.ts";
import type { RootSource } from "../../kernel/root-source.ts";
import type { Step } from "../../kernel/step.ts";
import { groupPathOf, planContainer } from "../../runtime/plan-container.ts";
import { needsAccounts, type ResolvedUser, resolveUser } from "../../runtime/user.ts";
import type { ContainerCreateBody } from "../../spec/engine-api-container.ts";
import type { HostConfig } from "../../spec/engine-api-host-config.ts";
import type { RuntimeSpec } from "../../spec/runtime-spec.ts";
import { mountOf as lookUpMount } from "../../storage/file-place.ts";
import { readMounts } from "../../storage/host-view.ts";
import { layerDirectory, nothingIn } from "../images/image-stores.ts";
import { logAttributesOf } from "../logs/log-attributes.ts";
import { logSettingsOf } from "../logs/log-settings.ts";
import { type Machine, readText } from "../machine.ts";
import { type BindPoint, type MountPlaces, type MountPoint, mountOf } from "../mounts/mount-point.ts";
import { containerPlaces, framePlace, type Places, partPlace, volumePath } from "../places.ts";
import { lookUpDevices } from "./asked-devices.ts";
import { type ContainerRecord, groupParentOf } from "./container-record.ts";
import { chooseRoot, planRoot, type RootChoice, readAccounts } from "./container-root.ts";
import { containerSpec, shmSizeOf } from "./container-spec.ts";
import { ownFilesOf } from "./own-files.ts";
import { type Donations, noDonations } from "./sharing.ts";
import { findBlockDevice } from "./spec-block-io.ts";
import { limitWarnings } from "./spec-limits.ts";
import { policyWarnings } from "./spec-security.ts";

export interface StartPlan {
  readonly steps: readonly Step[];
  readonly spec: RuntimeSpec;
  readonly groupPath: string;
  readonly root: RootSource & { readonly inMemory: boolean };
  /** For the caller: where the container will differ from what was asked for. */
  readonly warnings: readonly string[];
}

export interface PlanSurroundings {
  readonly machine: Machine;
  readonly places: Places;
}

/** @throws {OrlopError} everything that can be found to be wrong before the start */
export function planStart(
  id: string,
  { name, body, image, mounts }: Pick<ContainerRecord, "name" | "body" | "image" | "mounts">,
  { machine, places }: PlanSurroundings,
  donations: Donations = noDonations,
): StartPlan {
  const host = body.HostConfig;
  const isTransient = host.AutoRemove;
  const own = containerPlaces(places, id, isTransient);
  const choice = chooseRoot(body, image, places);
  const user = resolveUser(body.User, host.GroupAdd, accountsFor(body, choice, own.layers));
  const specMounts = mounts.map((point) => mountOf(point, mountPlaces(places)));
  const devices = lookUpDevices(host.Devices);
  const shmPath = host.IpcMode === "shareable" ? own.shm : donations.shmPath;
  const spec = containerSpec({
    id,
    body: withNamesOf(body, donations),
    donations,
    shmPath,
    user,
    machine,
    mounts: specMounts,
    devices,
    findDevice: findBlockDevice,
    sandboxPath: own.sandbox,
  });
  const root = planRoot(choice, places, own.layers, { removedAtExit: isTransient, driver: machine.storageDriver });
  const log = logSettingsOf(host.LogConfig);
  const attributes = logAttributesOf({ id, name, body, imageId: image?.id ?? "" });
  const steps = planContainer({
    id,
    spec,
    root,
    cgroups: machine.cgroups,
    host: machine.host,
    files: ownFilesOf({ id, body, machine, showsMachine: choice.kind === "host" }, donations),
    filesDirectory: donations.network?.files ?? own.files,
    framePoint: framePlace(places),
    prepare: [...planPart(mounts, places), ...planBindSources(mounts)],
    targets: donations.targets,
    sandboxPath: own.sandbox,
    gate: true,
    init: host.Init ?? false,
    monitor: {
      socketPath: own.socket,
      exitRecord: { path: own.exitRecord, sync: !isTransient, wake: `${places.runDir}/supervisor.sock` },
      log: log.driver === "none" ? undefined : { ...log, driver: log.driver, path: own.log, attributes },
      streams: { stdin: body.OpenStdin, stdout: true, stderr: true },
      keepStdin: !body.StdinOnce,
    },
  });
  return {
    steps: [
      ...planParent(host, machine),
      ...(host.IpcMode === "shareable" ? planShm(own.shm, shmSizeOf(host)) : []),
      ...steps,
    ],
    spec,
    groupPath: groupPathOf(id, spec),
    root,
    warnings: [...policyWarnings(host, machine), ...limitWarnings(host), ...warningsOf(root.inMemory && !isTransient)],
  };
}

/** Looks up `body.User` in the container's account files as they are now. @throws {OrlopError} bad_value: no such user */
export function resolveUserOf(
  id: string,
  { body, image }: Pick<ContainerRecord, "body" | "image">,
  { places }: PlanSurroundings,
): ResolvedUser {
  const { AutoRemove, GroupAdd } = body.HostConfig;
  const { layers } = containerPlaces(places, id, AutoRemove);
  return resolveUser(body.User, GroupAdd, accountsFor(body, chooseRoot(body, image, places), layers));
}

function accountsFor(body: ContainerCreateBody, choice: RootChoice, layers: string) {
  return needsAccounts(body.User, body.HostConfig.GroupAdd) ? readAccounts(choice, layers) : { passwd: "", group: "" };
}

/** The cgroup below which containers are by default is made at the engine's start; one that the request names, with the container. */
function planParent(host: HostConfig, machine: Machine): Step[] {
  return host.CgroupParent === "" ? [] : planGroupParent(machine.cgroups, groupParentOf(host), readText);
}

/** A container that joins another one's network has its host name, too. */
function withNamesOf(body: ContainerCreateBody, { network }: Donations): ContainerCreateBody {
  if (network === undefined || body.HostConfig.UTSMode === "host") return body;
  return { ...body, Hostname: network.hostname, Domainname: network.domainname };
}

/** Shared memory that other containers can mount during this run. */
function planShm(path: string, sizeBytes: number): Step[] {
  return [
    { op: "mkdir", path, mode: 0o700, why: "shared memory that other containers may join (--ipc shareable)" },
    { op: "detach", path, why: "what a killed run may have left" },
    {
      op: "mount",
      fstype: "tmpfs",
      source: "shm",
      target: path,
      attributes: MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
      options: ["mode=1777", `size=${sizeBytes}`],
      why: "the shared memory itself, whose life is this run's",
    },
  ];
}

function mountPlaces(places: Places): MountPlaces {
  return {
    volume: (name) => volumePath(places, name),
    layer: (diffId) => layerDirectory(places, diffId),
    nothing: nothingIn(places),
    part: partPlace(places),
  };
}

/** The mount point at which the layers of mounted images are assembled. */
function planPart(mounts: readonly MountPoint[], places: Places): Step[] {
  if (!mounts.some(({ type }) => type === "image")) return [];
  return [
    {
      op: "mkdir",
      path: partPlace(places),
      mode: 0o700,
      why: "an empty directory that each container mounts over in its own namespace",
    },
  ];
}

/** `-v` makes a directory where the source is missing; `--mount` refuses. */
function planBindSources(mounts: readonly MountPoint[]): Step[] {
  return mounts.flatMap((point): Step[] => {
    if (point.type !== "bind") return [];
    if (existsSync(point.source)) return checkPropagation(point);
    const { source } = point;
    if (point.missingSource === "refuse") throw OrlopError.of("bind_source_missing", { path: source });
    return [{ op: "mkdir", path: source, mode: 0o755, why: "the source of a bind that is not there yet (-v)" }];
  });
}

const propagationNeeds = { shared: /^shared:/, slave: /^(shared|master):/ } as const;

/**
 * A bind with propagation needs a source whose own mount is shared (or at least a slave): Docker's check, with its message.
 *
 * @throws {OrlopError} not_shared
 */
function checkPropagation({ source, propagation }: BindPoint): [] {
  const kind = propagation.replace(/^r(?=sh|sl)/, "");
  if (kind !== "shared" && kind !== "slave") return [];
  const path = realpathSync(source);
  const mount = lookUpMount(visibleMounts(readMounts()), path);
  if (!mount?.propagation.some((word) => propagationNeeds[kind].test(word)))
    throw OrlopError.of("not_shared", {
      path: source,
      mount: mount?.mountPoint ?? "/",
      needed: kind === "shared" ? "shared" : "shared or slave",
    });
  return [];
}

function warningsOf(changesInMemory: boolean): string[] {
  return [
    ...(changesInMemory
      ? ["overlay cannot write to the state directory: changes to the root live in memory, and end with each run"]
      : []),
  ];
}
