/** Images in the Engine API's spelling. */

import { arch } from "node:os";
import { hostCommand, hostImageId } from "../engine/images/host-image.ts";
import { contentBytesOf, type ImageRecord, layerBytesOf, type NameRecord } from "../engine/images/image-record.ts";
import type { Removal } from "../engine/images/remove-image.ts";
import type { ContainerDefaults, ImageConfig } from "../spec/oci-image.ts";
import { familiarReference, parseReference } from "../spec/reference.ts";
import { has } from "./versions.ts";

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

const hostConfiguration = {
  Cmd: hostCommand,
  Entrypoint: null,
  Env: [],
  Labels: null,
  Volumes: null,
  WorkingDir: "",
  User: "",
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
  Config: hostConfiguration,
  ContainerConfig: hostConfiguration,
  GraphDriver: { Name: "overlay", Data: null },
  RootFS: { Type: "layers", Layers: [] },
  Metadata: { LastTagTime: NEVER },
};

/** As `docker images` shows them: names with a tag, and names with a digest. */
function shownNames(names: readonly NameRecord[]): { readonly tags: string[]; readonly digests: string[] } {
  const shown = names.map(({ reference }) => familiarReference(parseReference(reference)));
  return {
    tags: shown.filter((name) => !name.includes("@")),
    digests: shown.filter((name) => name.includes("@")),
  };
}

export interface SummaryInput {
  readonly image: ImageRecord;
  readonly names: readonly NameRecord[];
  /** All that are here. */
  readonly platforms: readonly ImageRecord[];
  /** -1: not counted. */
  readonly containers: number;
  readonly sharedBytes: number;
  readonly apiMinor: number;
  /** What was asked for besides. */
  readonly more?: object;
}

export function imageSummary(input: SummaryInput): object {
  const { image, names, platforms, containers, sharedBytes, apiMinor, more } = input;
  const bytes = layerBytesOf(platforms);
  const { tags, digests } = shownNames(names);
  // clients before 1.43 take an empty list for an image that is not to be shown
  const nothing = !has(apiMinor, "noName") && names.length === 0;
  return {
    Id: image.id,
    ParentId: "",
    RepoTags: nothing ? ["<none>:<none>"] : tags,
    RepoDigests: nothing ? ["<none>@<none>"] : digests,
    Created: Math.floor(Date.parse(image.created ?? "1970-01-01T00:00:00Z") / 1000) || 0,
    Size: bytes,
    ...(has(apiMinor, "virtualSize") ? {} : { VirtualSize: bytes }),
    SharedSize: sharedBytes,
    Labels: Object.keys(image.labels).length === 0 ? null : image.labels,
    Containers: containers,
    ...more,
  };
}

export interface InspectionInput {
  readonly image: ImageRecord;
  readonly config: ImageConfig;
  readonly names: readonly NameRecord[];
  readonly apiMinor: number;
  /** What its names lead to, and what was asked for besides. */
  readonly more?: object;
}

export function imageInspection({ image, config, names, apiMinor, more }: InspectionInput): object {
  const { tags, digests } = shownNames(names);
  const lastTagMs = Math.max(0, ...names.map(({ taggedMs }) => taggedMs));
  return {
    Id: image.id,
    RepoTags: tags,
    RepoDigests: digests,
    Parent: "",
    Comment: config.history.at(-1)?.comment ?? "",
    ...(config.created === undefined && has(apiMinor, "imageCreated") ? {} : { Created: config.created ?? NEVER }),
    Container: "",
    // Of API 1.44 and before; docker-compose 1 looks there for an image's volumes, whatever the version.
    ContainerConfig: configJson(config.config),
    DockerVersion: "",
    Author: config.author ?? "",
    Config: has(apiMinor, "leanImage") ? leanConfig(config.config) : configJson(config.config),
    Architecture: config.platform.architecture,
    ...(config.platform.variant === undefined ? {} : { Variant: config.platform.variant }),
    Os: config.platform.os,
    Size: contentBytesOf(image),
    ...(has(apiMinor, "virtualSize") ? {} : { VirtualSize: contentBytesOf(image) }),
    GraphDriver: { Name: "overlay", Data: null },
    RootFS: { Type: "layers", Layers: config.diffIds },
    Metadata: { LastTagTime: lastTagMs === 0 ? NEVER : new Date(lastTagMs).toISOString() },
    ...more,
  };
}

/** What the image says of how containers start, and nothing else. */
function leanConfig({ ExposedPorts, Volumes, ...config }: ContainerDefaults): object {
  return {
    ...config,
    ...(ExposedPorts?.length ? { ExposedPorts: asSet(ExposedPorts) } : {}),
    ...(Volumes?.length ? { Volumes: asSet(Volumes) } : {}),
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
function asSet(names: readonly string[]): Record<string, object> {
  return Object.fromEntries(names.map((name) => [name, {}]));
}

/** What each step of the build made, the newest first. Only the image itself has an id: those in between were never pulled. */
export function historyOf(image: ImageRecord, config: ImageConfig, names: readonly NameRecord[]): object[] {
  const sizes = image.layers.map(({ contentBytes }) => contentBytes);
  const steps = config.history.map((step) => ({ step, size: step.emptyLayer === true ? 0 : (sizes.shift() ?? 0) }));
  // a configuration need not tell of every layer
  const all = [...steps, ...sizes.map((size) => ({ step: {} as (typeof steps)[number]["step"], size }))];
  return all.toReversed().map(({ step, size }, i) => ({
    Id: i === 0 ? image.id : "<missing>",
    Created: step.created === undefined ? 0 : Math.floor(Date.parse(step.created) / 1000) || 0,
    CreatedBy: step.createdBy ?? "",
    Tags: i === 0 && names.length > 0 ? shownNames(names).tags : null,
    Size: size,
    Comment: step.comment ?? "",
  }));
}

/** What went, in the order in which it went. */
export function removalJson({ untagged, deleted }: Removal): object[] {
  return [...untagged.map((name) => ({ Untagged: name })), ...deleted.map((id) => ({ Deleted: id }))];
}
