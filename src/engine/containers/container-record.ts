/** What is stored of a container: enough for the next engine to take it over. */

import type { ContainerId } from "../../base/id.ts";
import type { ContainerCreateBody } from "../../spec/engine-api-container.ts";
import type { HostConfig } from "../../spec/engine-api-host-config.ts";
import type { EndpointSettings } from "../../spec/engine-api-network.ts";
import type { Row } from "../../store/rows.ts";
import type { ContainerImage } from "../images/container-image.ts";
import type { MountPoint } from "../mounts/mount-point.ts";
import type { RestartState } from "./restart-policy.ts";

export interface ContainerRecord {
  readonly id: ContainerId;
  readonly name: string;
  /** Unix time in nanoseconds, as a decimal string, like all times here: too large for JSON's numbers. */
  readonly createdNs: string;
  readonly body: ContainerCreateBody;
  /** Absent for the `host` image and for a root directory (HostConfig.Rootfs). */
  readonly image?: ContainerImage;
  /** The mounts of the body, with the volumes that were found or made for them. */
  readonly mounts: readonly MountPoint[];
  readonly run: RunRecord;
  /** The networks that it is in, by name; absent while they are those of `body`. */
  readonly endpoints?: Readonly<Record<string, EndpointSettings>>;
  /** Absent until the container is first restarted, stopped or killed. */
  readonly restarts?: RestartState;
}

/** The last start, and how it ended. */
export interface RunRecord {
  /** As the engine that wrote this knew it. Whether the container is paused is not stored: the kernel knows. */
  readonly status: "created" | "running" | "exited";
  /** The first process in the host's PID namespace; 0 when it does not run. */
  readonly pid: number;
  /** "0": never started. */
  readonly startedNs: string;
  readonly endedNs: string;
  readonly exitCode: number;
  readonly oomKilled: boolean;
  /** How many OOM kills were reported; absent: none. */
  readonly oomKills?: number;
  /** Why it did not start, or why it ended other than by itself; "" otherwise. */
  readonly error: string;
}

export const neverRun: RunRecord = {
  status: "created",
  pid: 0,
  startedNs: "0",
  endedNs: "0",
  exitCode: 0,
  oomKilled: false,
  error: "",
};

/** "80/tcp" …: those of the image, and those of the create body. */
export function exposedPortsOf({ image, body }: Pick<ContainerRecord, "image" | "body">): string[] {
  return [...new Set([...(image?.config.ExposedPorts ?? []), ...Object.keys(body.ExposedPorts)])];
}

/** A `--rm` container: recorded in the run directory only, and removed when it exits. */
export function isTransient(record: Pick<ContainerRecord, "body">): boolean {
  return record.body.HostConfig.AutoRemove;
}

/** The container's cgroup, below HostConfig.CgroupParent or Orlop's own. */
export function groupPathOfRecord({ id, body }: Pick<ContainerRecord, "id" | "body">): string {
  return `${groupParentOf(body.HostConfig)}/${id}`;
}

/** A relative CgroupParent is taken relative to the root, as in runc. */
export function groupParentOf({ CgroupParent }: Pick<HostConfig, "CgroupParent">): string {
  if (CgroupParent === "") return "/orlop";
  return CgroupParent.startsWith("/") ? CgroupParent : `/${CgroupParent}`;
}

export function encodeRecord(record: ContainerRecord): Row {
  return { kind: "container", id: record.id, name: record.name, record: JSON.stringify(record) };
}

/** Not validated: the database holds only what `encodeRecord` wrote. */
export function decodeRecord(row: Row): ContainerRecord {
  return JSON.parse(row.record) as ContainerRecord;
}
