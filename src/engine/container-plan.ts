/** Everything that a container's start does, as a plan: request, machine and root put together. Reads, changes nothing. */

import { existsSync } from "node:fs";
import { OrlopError } from "../base/errors.ts";
import { planGroupParent } from "../kernel/cgroup/parent.ts";
import type { RootSource } from "../kernel/root-source.ts";
import type { Step } from "../kernel/step.ts";
import { identityFiles } from "../runtime/identity-files.ts";
import { groupPathOf, type OwnFile, planContainer } from "../runtime/plan-container.ts";
import { needsAccounts, type ResolvedUser, resolveUser } from "../runtime/user.ts";
import type { ContainerCreateBody } from "../spec/engine-api-container.ts";
import type { RuntimeSpec } from "../spec/runtime-spec.ts";
import { lookUpDevices } from "./asked-devices.ts";
import type { ContainerRecord } from "./container-record.ts";
import { chooseRoot, planRoot, type RootChoice, readAccounts } from "./container-root.ts";
import { containerSpec, hostnameOf } from "./container-spec.ts";
import { logAttributesOf } from "./log-attributes.ts";
import { logSettingsOf } from "./log-settings.ts";
import { type Machine, readText } from "./machine.ts";
import { type MountPoint, mountOf } from "./mount-point.ts";
import { containerPlaces, type Places, volumePath } from "./places.ts";
import { findBlockDevice } from "./spec-block-io.ts";

export interface StartPlan {
  readonly steps: readonly Step[];
  readonly spec: RuntimeSpec;
  readonly groupPath: string;
  readonly root: RootSource & { readonly inMemory: boolean };
  /** What the caller should know: something asked for is given otherwise. */
  readonly warnings: readonly string[];
}

export interface PlanSurroundings {
  readonly machine: Machine;
  readonly places: Places;
}

/** @throws {OrlopError} everything that can be known to be wrong before the start */
export function planStart(
  id: string,
  { name, body, image, mounts }: Pick<ContainerRecord, "name" | "body" | "image" | "mounts">,
  { machine, places }: PlanSurroundings,
): StartPlan {
  const host = body.HostConfig;
  const isTransient = host.AutoRemove;
  const own = containerPlaces(places, id, isTransient);
  const choice = chooseRoot(body, image, places);
  const user = resolveUser(body.User, host.GroupAdd, accountsFor(body, choice, own.layers));
  const specMounts = mounts.map((point) => mountOf(point, (volume) => volumePath(places, volume)));
  const devices = lookUpDevices(host.Devices);
  const spec = containerSpec({ id, body, user, machine, mounts: specMounts, devices, findDevice: findBlockDevice });
  const root = planRoot(choice, places, own.layers, isTransient);
  const log = logSettingsOf(host.LogConfig);
  const attributes = logAttributesOf({ id, name, body, imageId: image?.id ?? "" });
  const steps = planContainer({
    id,
    spec,
    root,
    cgroups: machine.cgroups,
    host: machine.host,
    files: filesOf(id, body, machine),
    filesDirectory: own.dataDir,
    gate: true,
    monitor: {
      socketPath: own.socket,
      exitRecord: { path: own.exitRecord, sync: !isTransient, wake: `${places.runDir}/supervisor.sock` },
      log: log.driver === "none" ? undefined : { ...log, driver: log.driver, path: own.log, attributes },
      streams: { stdin: body.OpenStdin, stdout: true, stderr: true },
      keepStdin: !body.StdinOnce,
    },
  });
  return {
    steps: [...planParent(host.CgroupParent, machine), ...planBindSources(mounts), ...steps],
    spec,
    groupPath: groupPathOf(id, spec),
    root,
    warnings: warningsOf(body, root.inMemory && !isTransient),
  };
}

/** Who `body.User` is in this container, as its files are now. @throws {OrlopError} bad_value: nobody there */
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

/** The group that holds all of Orlop's is made at the engine's start; one that was asked for when it is. */
function planParent(parent: string, machine: Machine): Step[] {
  return parent === "" ? [] : planGroupParent(machine.cgroups, parent, readText);
}

/** With the host's network its names are the host's too, and the root has them already. */
function filesOf(id: string, body: ContainerCreateBody, machine: Machine): OwnFile[] {
  const host = body.HostConfig;
  if (host.NetworkMode === "host") return [];
  return identityFiles({
    hostname: hostnameOf({ id, body, machine }),
    domainname: body.Domainname,
    address: "127.0.0.1",
    extraHosts: host.ExtraHosts.map(parseExtraHost),
  });
}

/** "NAME:ADDRESS"; an IPv6 address has colons itself. */
function parseExtraHost(text: string): readonly [name: string, address: string] {
  const match = /^([^:=\s]+)[:=]\[?([0-9a-fA-F:.]+)\]?$/.exec(text);
  if (match === null)
    throw OrlopError.of("bad_value", { what: "HostConfig.ExtraHosts", value: text, expected: "NAME:ADDRESS" });
  return [match[1] ?? "", match[2] ?? ""];
}

/** `-v` makes a directory of a source that is missing; `--mount` refuses. */
function planBindSources(mounts: readonly MountPoint[]): Step[] {
  return mounts.flatMap((point): Step[] => {
    if (point.type !== "bind" || existsSync(point.source)) return [];
    const { source } = point;
    if (point.missingSource === "refuse") throw OrlopError.of("bind_source_missing", { path: source });
    return [{ op: "mkdir", path: source, mode: 0o755, why: "the source of a bind that is not there yet (-v)" }];
  });
}

function warningsOf(body: ContainerCreateBody, changesInMemory: boolean): string[] {
  const { NetworkMode } = body.HostConfig;
  return [
    ...(NetworkMode === "bridge"
      ? ["bridge networks are not there yet: the container has a loopback interface alone"]
      : []),
    ...(changesInMemory
      ? ["overlay cannot write to the state directory: changes to the root live in memory, and end with each run"]
      : []),
  ];
}
