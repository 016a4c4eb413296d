/** The door for manifests, indexes and image configurations. */
import { OrlopError } from "../base/errors.ts";
import { type Digest, parseDigest } from "./digest.ts";
import {
  asCount,
  asKeys,
  asList,
  asObject,
  asText,
  asTextList,
  asTextMap,
  asTruth,
  type JsonObject,
  optional,
  parseJsonObject,
  ShapeFault,
} from "./json-shape.ts";
import {
  type ContainerDefaults,
  type Descriptor,
  type Healthcheck,
  type HistoryEntry,
  type ImageConfig,
  type Index,
  layerCompressions,
  type Manifest,
  mediaTypes,
} from "./oci-image.ts";
import type { Platform } from "./platform.ts";

/** No manifest of a real image comes near this. */
export const manifestMax = 4 << 20;
/** Configurations carry history, so they are given the same room. */
export const configMax = 4 << 20;
/** overlayfs takes 500 lower directories. */
const layersMax = 500;
const manifestsMax = 10_000;

const schema1: readonly string[] = [mediaTypes.dockerSchema1, mediaTypes.dockerSignedSchema1];
const manifestTypes: readonly string[] = [mediaTypes.ociManifest, mediaTypes.dockerManifest];
const indexTypes: readonly string[] = [mediaTypes.ociIndex, mediaTypes.dockerIndex];
const configTypes: readonly string[] = [mediaTypes.ociConfig, mediaTypes.dockerConfig];

/** Where a document comes from: `name` is for errors; contentType is what the registry or the descriptor calls it. */
export interface Origin {
  readonly name: string;
  readonly contentType?: string;
}

/**
 * Reads a manifest or an index. Its digest is the caller's to have verified.
 *
 * @throws {OrlopError} bad_manifest, unsupported_image
 */
export function parseManifest(raw: Uint8Array, digest: Digest, origin: Origin): Manifest | Index {
  return named(origin.name, "manifest", () => {
    if (raw.length > manifestMax) throw new ShapeFault(`it is over ${manifestMax} bytes`);
    const document = parseJsonObject(raw);
    const mediaType = mediaTypeOf(document, origin);
    if (document["schemaVersion"] !== 2) throw new ShapeFault("schemaVersion is not 2");
    if ("layers" in document && "manifests" in document) throw new ShapeFault("it has both layers and manifests");
    const common = { raw, digest, mediaType };
    if (indexTypes.includes(mediaType))
      return {
        kind: "index",
        ...common,
        manifests: asList(document["manifests"], "manifests", manifestsMax, asDescriptor),
      };
    return {
      kind: "manifest",
      ...common,
      config: asDescriptor(document["config"], "config"),
      layers: asList(document["layers"], "layers", layersMax, asDescriptor),
      ...optional(document, "artifactType", "artifactType", asText),
    };
  });
}

/** The document's own word, or the outside's, or what its fields say; where two of them speak they must agree. */
function mediaTypeOf(document: JsonObject, origin: Origin): string {
  const own = optional(document, "mediaType", "own", asText).own;
  const outside = origin.contentType?.split(";")[0]?.trim();
  if (document["schemaVersion"] === 1 || schema1.includes(own ?? outside ?? ""))
    throw OrlopError.of("unsupported_image", { name: origin.name, what: "Docker's manifest schema 1" });
  const known = (type: string | undefined): boolean => isManifestType(type ?? "");
  if (own !== undefined && !known(own))
    throw OrlopError.of("unsupported_image", { name: origin.name, what: `manifest type ${own.slice(0, 100)}` });
  if (known(own) && known(outside) && own !== outside)
    throw new ShapeFault(`it calls itself ${own}, but was announced as ${outside}`);
  if (own !== undefined) return own;
  if (outside !== undefined && known(outside)) return outside;
  return "manifests" in document ? mediaTypes.ociIndex : mediaTypes.ociManifest;
}

/** Whether a descriptor of this type points to a manifest or an index. */
export function isManifestType(mediaType: string): boolean {
  return manifestTypes.includes(mediaType) || indexTypes.includes(mediaType);
}

/**
 * That a manifest is of an image that can run, not of an artifact (a chart, a signature, …).
 *
 * @throws {OrlopError} unsupported_image, by name
 */
export function checkIsImage(manifest: Manifest, name: string): void {
  const refuse = (what: string): OrlopError => OrlopError.of("unsupported_image", { name, what });
  if (!configTypes.includes(manifest.config.mediaType))
    throw refuse(`an artifact of type ${(manifest.artifactType ?? manifest.config.mediaType).slice(0, 100)}`);
  if (manifest.config.size > configMax) throw refuse(`a configuration over ${configMax} bytes`);
  for (const { mediaType } of manifest.layers)
    if (!Object.hasOwn(layerCompressions, mediaType)) throw refuse(`a layer of type ${mediaType.slice(0, 100)}`);
}

function asDescriptor(value: unknown, at: string): Descriptor {
  const object = asObject(value, at);
  return {
    mediaType: asText(object["mediaType"], `${at}.mediaType`),
    digest: parseDigest(asText(object["digest"], `${at}.digest`)),
    size: asCount(object["size"], `${at}.size`),
    ...optional(object, "platform", "platform", asPlatform),
    ...optional(object, "artifactType", "artifactType", asText),
    ...optional(object, "annotations", "annotations", asTextMap),
  };
}

function asPlatform(value: unknown, at: string): Platform {
  const object = asObject(value, at);
  return {
    os: asText(object["os"], `${at}.os`),
    architecture: asText(object["architecture"], `${at}.architecture`),
    ...optional(object, "variant", "variant", asText),
  };
}

/**
 * Reads an image's configuration.
 *
 * @param layerCount  layers in the manifest: each has its diff id
 * @throws {OrlopError} bad_manifest
 */
export function parseImageConfig(raw: Uint8Array, digest: Digest, layerCount: number, name: string): ImageConfig {
  return named(name, "configuration", () => {
    const document = parseJsonObject(raw);
    const rootfs = asObject(document["rootfs"], "rootfs");
    const diffIds = asList(rootfs["diff_ids"] ?? [], "rootfs.diff_ids", layersMax, (value, at) =>
      parseDigest(asText(value, at)),
    );
    if (diffIds.length !== layerCount)
      throw new ShapeFault(`rootfs.diff_ids has ${diffIds.length} entries for ${layerCount} layers`);
    return {
      raw,
      digest,
      platform: asPlatform(document, "the configuration"),
      ...optional(document, "created", "created", asText),
      ...optional(document, "author", "author", asText),
      config: optional(document, "config", "config", asContainerDefaults).config ?? {},
      diffIds,
      history: optional(document, "history", "history", asHistory).history ?? [],
    };
  });
}

function asHistory(value: unknown, at: string): HistoryEntry[] {
  return asList(value, at, 10_000, (entry, entryAt) => {
    const object = asObject(entry, entryAt);
    return {
      ...optional(object, "created", "created", asText),
      ...optional(object, "created_by", "createdBy", asText),
      ...optional(object, "author", "author", asText),
      ...optional(object, "comment", "comment", asText),
      ...optional(object, "empty_layer", "emptyLayer", asTruth),
    };
  });
}

/** A range is written as each of its ports, and every port may be there, for each protocol. */
function asPorts(value: unknown, at: string): string[] {
  return asKeys(value, at, 3 * 65_536);
}

/** What an image says of its containers. @throws {ShapeFault} */
export function asContainerDefaults(value: unknown, at: string): ContainerDefaults {
  const object = asObject(value, at);
  return {
    ...optional(object, "User", "User", asText),
    ...optional(object, "ExposedPorts", "ExposedPorts", asPorts),
    ...optional(object, "Env", "Env", asTextList),
    ...optional(object, "Entrypoint", "Entrypoint", asTextList),
    ...optional(object, "Cmd", "Cmd", asTextList),
    ...optional(object, "Volumes", "Volumes", asKeys),
    ...optional(object, "WorkingDir", "WorkingDir", asText),
    ...optional(object, "Labels", "Labels", asTextMap),
    ...optional(object, "StopSignal", "StopSignal", asText),
    ...optional(object, "OnBuild", "OnBuild", asTextList),
    ...optional(object, "Shell", "Shell", asTextList),
    ...optional(object, "Healthcheck", "Healthcheck", asHealthcheck),
  };
}

function asHealthcheck(value: unknown, at: string): Healthcheck {
  const object = asObject(value, at);
  return {
    ...optional(object, "Test", "Test", asTextList),
    ...optional(object, "Interval", "Interval", asCount),
    ...optional(object, "Timeout", "Timeout", asCount),
    ...optional(object, "StartPeriod", "StartPeriod", asCount),
    ...optional(object, "StartInterval", "StartInterval", asCount),
    ...optional(object, "Retries", "Retries", asCount),
  };
}

/** Gives a fault in a document its document's name. */
function named<T>(name: string, what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof ShapeFault) throw OrlopError.of("bad_manifest", { name, what, reason: error.message });
    throw error;
  }
}
