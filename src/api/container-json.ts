/** Containers in the Engine API's spelling: what `inspect` and `ps` show. */

import { formatAge } from "../base/duration.ts";
import type { Container } from "../engine/containers/container.ts";
import type { ContainerSize } from "../engine/containers/container-size.ts";
import { hostnameOf } from "../engine/containers/container-spec.ts";
import type { Health } from "../engine/containers/health-check.ts";
import { hostImageId } from "../engine/images/host-image.ts";
import { formatTimeNs } from "../engine/logs/log-format.ts";
import { logSettingsOf } from "../engine/logs/log-settings.ts";
import type { Machine } from "../engine/machine.ts";
import { networkModeOf } from "../engine/networks/network-mode.ts";
import { hostConfigJson } from "./host-config-json.ts";
import { mountsJson } from "./mount-json.ts";
import { has } from "./versions.ts";

/** Go's zero time: never. */
export const NEVER = "0001-01-01T00:00:00Z";

function time(ns: string): string {
  return ns === "0" ? NEVER : formatTimeNs(BigInt(ns));
}

/** Facts about the container from other parts of the engine. */
export interface Surroundings {
  readonly networkSettings: unknown;
  readonly size?: ContainerSize | undefined;
}

export function inspection(container: Container, machine: Machine, around: Surroundings): unknown {
  const { size } = around;
  const { body, record, run, status, places } = container;
  const { HostConfig, NetworkingConfig: _, StopSignal, MacAddress, NetworkDisabled, ArgsEscaped, ...config } = body;
  const [path = "", ...args] = commandOf(container);
  const log = logSettingsOf(HostConfig.LogConfig);
  return {
    Id: record.id,
    Created: time(record.createdNs),
    Path: path,
    Args: args,
    State: {
      Status: status,
      Running: container.isRunning || status === "restarting", // as in Docker
      Paused: status === "paused",
      Restarting: status === "restarting",
      OOMKilled: run.oomKilled,
      Dead: false,
      Pid: run.pid,
      ExitCode: run.exitCode,
      Error: container.error,
      StartedAt: time(run.startedNs),
      FinishedAt: time(run.endedNs),
      ...healthField(container),
    },
    Image: imageIdOf(container),
    ResolvConfPath: networkModeOf(body).kind === "network" ? `${places.files}/resolv.conf` : "",
    HostnamePath: `${places.files}/hostname`,
    HostsPath: `${places.files}/hosts`,
    LogPath: log.driver === "none" ? "" : places.log,
    Name: `/${record.name}`,
    RestartCount: container.restarts.state.count,
    Driver: "overlay",
    Platform: "linux",
    MountLabel: "",
    ProcessLabel: "",
    AppArmorProfile: "",
    ExecIDs: execIdsOf(container),
    HostConfig: hostConfigJson(container, machine),
    ...sizeFields(size),
    GraphDriver: { Name: "overlay", Data: null },
    Mounts: mountsJson(container),
    Config: {
      ...config,
      ...(StopSignal === "" ? {} : { StopSignal }),
      ...(NetworkDisabled ? { NetworkDisabled } : {}),
      ...(ArgsEscaped ? { ArgsEscaped } : {}),
      ...(MacAddress === "" ? {} : { MacAddress }),
      Hostname: hostnameOf({ id: record.id, body, machine }),
      Volumes: volumesOf(container),
      ...exposedPortsOf(container),
      OnBuild: body.OnBuild ?? null,
    },
    NetworkSettings: around.networkSettings,
  };
}

export function summary(
  container: Container,
  nowMs: number,
  around: Surroundings & { readonly ports: unknown; readonly apiMinor: number; readonly linkNames: readonly string[] },
): unknown {
  const { size } = around;
  const { record, body, status } = container;
  return {
    Id: record.id,
    Names: [record.name, ...around.linkNames].map((name) => `/${name}`),
    Image: body.Image || body.HostConfig.Rootfs,
    ImageID: imageIdOf(container),
    Command: commandOf(container).map(quoted).join(" "),
    Created: Number(BigInt(record.createdNs) / 1_000_000_000n),
    Ports: around.ports,
    ...sizeFields(size),
    Labels: body.Labels,
    State: status,
    Status: statusText(container, nowMs),
    HostConfig: {
      NetworkMode: body.HostConfig.NetworkMode || "default",
      ...(has(around.apiMinor, "listedAnnotations") && Object.keys(body.HostConfig.Annotations).length > 0
        ? { Annotations: body.HostConfig.Annotations }
        : {}),
    },
    NetworkSettings: around.networkSettings,
    Mounts: mountsJson(container),
  };
}

/** Sizes are left out unless the client asks for them, as in Docker. */
function sizeFields(size: ContainerSize | undefined): object {
  return size === undefined ? {} : { SizeRw: size.changesBytes, SizeRootFs: size.rootBytes };
}

/** Left out for a container without a health check, as in Docker. */
function healthField({ health: { current } }: Container): object {
  if (current === undefined) return {};
  const time = (ms: number) => new Date(ms).toISOString();
  const Log = current.log.map(({ startedMs, endedMs, exitCode, output }) => ({
    Start: time(startedMs),
    End: time(endedMs),
    ExitCode: exitCode,
    Output: output,
  }));
  return { Health: { Status: current.status, FailingStreak: current.failingStreak, Log } };
}

function healthText(health: Health | undefined): string {
  if (health === undefined) return "";
  return health.status === "starting" ? " (health: starting)" : ` (${health.status})`;
}

function execIdsOf({ execs }: Container): string[] | null {
  const ids = execs.ids();
  return ids.length === 0 ? null : ids;
}

/** "Up 5 minutes", "Exited (0) 2 hours ago". */
function statusText({ status, run, health }: Container, nowMs: number): string {
  const since = (ns: string) => formatAge(nowMs - Number(BigInt(ns) / 1_000_000n));
  if (status === "running") return `Up ${since(run.startedNs)}${healthText(health.current)}`;
  if (status === "paused") return `Up ${since(run.startedNs)} (Paused)`;
  if (status === "restarting") return `Restarting (${run.exitCode}) ${since(run.endedNs)} ago`;
  if (status === "exited") return `Exited (${run.exitCode}) ${since(run.endedNs)} ago`;
  return status === "created" ? "Created" : "Removal In Progress";
}

function commandOf({ body }: Container): string[] {
  return [...(body.Entrypoint ?? []), ...(body.Cmd ?? [])];
}

/** A command as one text, quoted as Docker does. */
function quoted(word: string, at: number): string {
  return at > 0 && word.includes(" ") ? `'${word}'` : word;
}

/** Destinations of anonymous volumes: the request's, and the image's. */
function volumesOf({ body, record }: Container): Record<string, object> | null {
  const volumes = { ...body.Volumes, ...asSet(record.image?.config.Volumes ?? []) };
  return Object.keys(volumes).length === 0 ? null : volumes;
}

/** The ports of the request and of the image; left out if there are none, as in Docker. */
function exposedPortsOf({ body, record }: Container): object {
  const ports = { ...asSet(record.image?.config.ExposedPorts ?? []), ...body.ExposedPorts };
  return { ExposedPorts: Object.keys(ports).length === 0 ? undefined : ports };
}

/** A set as Go encodes it: an object with empty values. */
function asSet(names: readonly string[]): Record<string, object> {
  return Object.fromEntries(names.map((name) => [name, {}]));
}

function imageIdOf({ body, record }: Container): string {
  if (record.image !== undefined) return record.image.id;
  return body.HostConfig.Rootfs === "" ? hostImageId : "";
}
