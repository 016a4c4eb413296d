/** What is written down of a container: enough for the next engine to go on with it. */

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
  /** Unix time in nanoseconds, decimal, as all times here: JSON's numbers are too small. */
  readonly createdNs: string;
  readonly body: ContainerCreateBody;
  /** Absent for the machine itself and for a directory. */
  readonly image?: ContainerImage;
  /** What the body says of mounts, with the volumes that were found or made for it. */
  readonly mounts: readonly MountPoint[];
  readonly run: RunRecord;
  /** The networks that it is in, by name, once they are others than those that `body` asks for. */
  readonly endpoints?: Readonly<Record<string, EndpointSettings>>;
  /** Absent while nothing was restarted, stopped or killed. */
  readonly restarts?: RestartState;
}

/** The last start, and what became of it. */
export interface RunRecord {
  /** running: as far as the engine that wrote this knew. That it is paused is the kernel's to say. */
  readonly status: "created" | "running" | "exited";
  /** In the host's PID namespace; 0 when it does not run. */
  readonly pid: number;
  /** "0": never. */
  readonly startedNs: string;
  readonly endedNs: string;
  readonly exitCode: number;
  readonly oomKilled: boolean;
  /** As many of its processes were told of; absent: none. */
  readonly oomKills?: number;
  /** Why it did not start, or how it ended when that was not by itself. */
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

/** "80/tcp" …: its image's and those asked for. */
export function exposedPortsOf({ image, body }: Pick<ContainerRecord, "image" | "body">): string[] {
  return [...new Set([...(image?.config.ExposedPorts ?? []), ...Object.keys(body.ExposedPorts)])];
}

/** A `--rm` container: kept in the run directory, gone with its exit. */
export function isTransient(record: Pick<ContainerRecord, "body">): boolean {
  return record.body.HostConfig.AutoRemove;
}

/** The container's group: below the parent that was asked for, or Orlop's. */
export function groupPathOfRecord({ id, body }: Pick<ContainerRecord, "id" | "body">): string {
  return `${groupParentOf(body.HostConfig)}/${id}`;
}

/** One that is not absolute begins where the machine's first process is, as runc has it: at the root. */
export function groupParentOf({ CgroupParent }: Pick<HostConfig, "CgroupParent">): string {
  if (CgroupParent === "") return "/orlop";
  return CgroupParent.startsWith("/") ? CgroupParent : `/${CgroupParent}`;
}

export function encodeRecord(record: ContainerRecord): Row {
  return { kind: "container", id: record.id, name: record.name, record: JSON.stringify(record) };
}

/** Only what `encodeRecord` wrote is in the database, so its word is taken. */
export function decodeRecord(row: Row): ContainerRecord {
  return JSON.parse(row.record) as ContainerRecord;
}
