/** Images in the Engine API's spelling. */

import { arch } from "node:os";
import { hostCommand, hostImageId } from "../engine/host-image.ts";
import { contentBytesOf, type ImageRecord, type NameRecord } from "../engine/images/image-record.ts";
import type { ContainerDefaults, ImageConfig } from "../spec/oci-image.ts";
import { familiarReference, parseReference } from "../spec/reference.ts";

/** Go's zero time: never. */
const NEVER = "0001-01-01T00:00:00Z";

export const hostSummary = {
  Id: hostImageId,
  ParentId: "",
  RepoTags: ["host:latest"],
  RepoDigests: [],
  Created: 0,
  Size: 0,
  SharedSize: -1,
  Labels: null,
  Containers: -1,
};

export const hostInspection = {
  Id: hostImageId,
  RepoTags: ["host:latest"],
  RepoDigests: [],
  Parent: "",
  Comment: "this machine itself, copy-on-write",
  Created: "1970-01-01T00:00:00Z",
  Architecture: arch() === "x64" ? "amd64" : arch(),
  Os: "linux",
  Size: 0,
  Config: { Cmd: hostCommand, Entrypoint: null, Env: [], Labels: null, Volumes: null, WorkingDir: "", User: "" },
  GraphDriver: { Name: "overlay", Data: null },
  RootFS: { Type: "layers", Layers: [] },
  Metadata: { LastTagTime: NEVER },
};

/** As `docker images` shows them: names with a tag, and names with a digest. */
export function shownNames(names: readonly NameRecord[]): { readonly tags: string[]; readonly digests: string[] } {
  const shown = names.map(({ reference }) => familiarReference(parseReference(reference)));
  return {
    tags: shown.filter((name) => !name.includes("@")),
    digests: shown.filter((name) => name.includes("@")),
  };
}

export interface SummaryInput {
  readonly image: ImageRecord;
  readonly names: readonly NameRecord[];
  /** -1: not counted. */
  readonly containers: number;
  readonly sharedBytes: number;
}

export function imageSummary({ image, names, containers, sharedBytes }: SummaryInput): object {
  const { tags, digests } = shownNames(names);
  return {
    Id: image.id,
    ParentId: "",
    RepoTags: tags,
    RepoDigests: digests,
    Created: Math.floor(Date.parse(image.created ?? "1970-01-01T00:00:00Z") / 1000) || 0,
    Size: contentBytesOf(image),
    VirtualSize: contentBytesOf(image),
    SharedSize: sharedBytes,
    Labels: Object.keys(image.labels).length === 0 ? null : image.labels,
    Containers: containers,
  };
}

export function imageInspection(image: ImageRecord, config: ImageConfig, names: readonly NameRecord[]): object {
  const { tags, digests } = shownNames(names);
  const lastTagMs = Math.max(0, ...names.map(({ taggedMs }) => taggedMs));
  return {
    Id: image.id,
    RepoTags: tags,
    RepoDigests: digests,
    Parent: "",
    Comment: config.history.at(-1)?.comment ?? "",
    Created: config.created ?? NEVER,
    Container: "",
    DockerVersion: "",
    Author: config.author ?? "",
    Config: configJson(config.config),
    Architecture: config.platform.architecture,
    ...(config.platform.variant === undefined ? {} : { Variant: config.platform.variant }),
    Os: config.platform.os,
    Size: contentBytesOf(image),
    VirtualSize: contentBytesOf(image),
    GraphDriver: { Name: "overlay", Data: null },
    RootFS: { Type: "layers", Layers: config.diffIds },
    Metadata: { LastTagTime: lastTagMs === 0 ? NEVER : new Date(lastTagMs).toISOString() },
    Descriptor: {
      mediaType: image.manifest.mediaType,
      digest: image.manifest.digest,
      size: image.manifest.sizeBytes,
    },
  };
}

/** The part of a configuration that says how containers start, every field there. */
function configJson(config: ContainerDefaults): object {
  return {
    Hostname: "",
    Domainname: "",
    User: config.User ?? "",
    AttachStdin: false,
    AttachStdout: false,
    AttachStderr: false,
    ...(config.ExposedPorts?.length ? { ExposedPorts: asSet(config.ExposedPorts) } : {}),
    Tty: false,
    OpenStdin: false,
    StdinOnce: false,
    Env: config.Env ?? [],
    Cmd: config.Cmd ?? null,
    ...(config.Healthcheck === undefined ? {} : { Healthcheck: config.Healthcheck }),
    Image: "",
    Volumes: config.Volumes?.length ? asSet(config.Volumes) : null,
    WorkingDir: config.WorkingDir ?? "",
    Entrypoint: config.Entrypoint ?? null,
    OnBuild: config.OnBuild ?? null,
    Labels: config.Labels ?? null,
    ...(config.StopSignal === undefined ? {} : { StopSignal: config.StopSignal }),
    ...(config.Shell === undefined ? {} : { Shell: config.Shell }),
  };
}

/** Go's way to write a set. */
export function asSet(names: readonly string[]): Record<string, object> {
  return Object.fromEntries(names.map((name) => [name, {}]));
}
