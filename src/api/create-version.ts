/** A create body of a client of an older API version: fields that its version did not have are ignored. Pure. */

import { OrlopError } from "../base/errors.ts";
import { networkModeOf, settingsOf } from "../engine/networks/network-mode.ts";
import type { ContainerCreateBody } from "../spec/engine-api-container.ts";
import type { HostConfig, MountRequest } from "../spec/engine-api-host-config.ts";
import type { EndpointSettings } from "../spec/engine-api-network.ts";
import { has } from "./versions.ts";

interface OfVersion {
  readonly body: ContainerCreateBody;
  readonly warnings: readonly string[];
}

/** @throws {OrlopError} bad_value for a value that the version does not allow */
export function createOfVersion(given: ContainerCreateBody, apiMinor: number): OfVersion {
  const { Healthcheck } = given;
  const timed = has(apiMinor, "startInterval") || Healthcheck === undefined;
  const body = {
    ...given,
    Healthcheck: timed ? Healthcheck : { ...Healthcheck, StartInterval: 0 },
    HostConfig: hostOfVersion(given.HostConfig, apiMinor),
    NetworkingConfig: { EndpointsConfig: endpointsOfVersion(given, apiMinor) },
  };
  return { body, warnings: has(apiMinor, "endpointMac") ? macWarnings(body) : [] };
}

function hostOfVersion(host: HostConfig, apiMinor: number): HostConfig {
  return {
    ...host,
    ...(has(apiMinor, "autoRemove") ? {} : { AutoRemove: false }),
    ...(has(apiMinor, "privateIpc") || host.IpcMode !== "" ? {} : { IpcMode: "shareable" }),
    ...(has(apiMinor, "consoleSize") ? {} : { ConsoleSize: [0, 0] as const }),
    ...(has(apiMinor, "annotations") ? {} : { Annotations: {} }),
    Mounts: host.Mounts.map((mount) => mountOfVersion(mount, apiMinor)),
  };
}

function mountOfVersion(mount: MountRequest, apiMinor: number): MountRequest {
  const { BindOptions, VolumeOptions, TmpfsOptions } = mount;
  if (mount.Type === "image" && !has(apiMinor, "imageMounts"))
    throw OrlopError.of("bad_value", {
      what: "mount type",
      value: "image",
      expected: "another with an API before 1.48",
    });
  return {
    ...mount,
    BindOptions: BindOptions && {
      ...BindOptions,
      ...(has(apiMinor, "nonRecursiveBind") ? {} : { NonRecursive: false }),
      ...(has(apiMinor, "createMountpoint") ? {} : { CreateMountpoint: false }),
      ...(has(apiMinor, "readOnlyBelow") ? {} : { ReadOnlyNonRecursive: false, ReadOnlyForceRecursive: false }),
    },
    VolumeOptions: VolumeOptions && { ...VolumeOptions, ...(has(apiMinor, "volumeSubpath") ? {} : { Subpath: "" }) },
    TmpfsOptions: TmpfsOptions && { ...TmpfsOptions, ...(has(apiMinor, "tmpfsOptions") ? {} : { Options: [] }) },
  };
}

type Endpoints = ContainerCreateBody["NetworkingConfig"]["EndpointsConfig"];

function endpointsOfVersion({ NetworkingConfig }: ContainerCreateBody, apiMinor: number): Endpoints {
  const entries = Object.entries(NetworkingConfig.EndpointsConfig);
  if (entries.length > 1 && !has(apiMinor, "severalNetworks"))
    throw OrlopError.of("several_networks", { networks: entries.map(([name]) => name).join(", ") });
  return Object.fromEntries(entries.map(([name, settings]) => [name, endpointOfVersion(settings, apiMinor)]));
}

function endpointOfVersion(settings: EndpointSettings, apiMinor: number): EndpointSettings {
  return {
    ...settings,
    ...(has(apiMinor, "endpointMac") ? {} : { MacAddress: "" }),
    ...(has(apiMinor, "gatewayPriority") ? {} : { GwPriority: 0 }),
  };
}

/** The container-wide MAC address, which that of an endpoint replaces. @throws {OrlopError} bad_value: both are given, and differ */
function macWarnings(body: ContainerCreateBody): string[] {
  const { MacAddress } = body;
  if (MacAddress === "") return [];
  const mode = networkModeOf(body);
  const own = mode.kind === "network" ? settingsOf(body, mode.network)?.MacAddress : "";
  if (own !== undefined && own !== "" && own.toLowerCase() !== MacAddress.toLowerCase())
    throw OrlopError.of("bad_value", {
      what: "container-wide MAC address",
      value: MacAddress,
      expected: `that of the endpoint in the main network (${own}), or none`,
    });
  return ["The container-wide MacAddress field is now deprecated. It should be specified in EndpointsConfig instead."];
}
