/**
 * Manifests, indexes and image configurations: OCI image-spec 1.1 and Docker's schema 2, as values.
 *
 * The raw bytes stay beside what was read from them: a digest is of bytes, and what is pushed again must be the same bytes.
 */
import type { Digest } from "./digest.ts";
import type { Platform } from "./platform.ts";

export const mediaTypes = {
  ociManifest: "application/vnd.oci.image.manifest.v1+json",
  ociIndex: "application/vnd.oci.image.index.v1+json",
  ociConfig: "application/vnd.oci.image.config.v1+json",
  ociEmpty: "application/vnd.oci.empty.v1+json",
  dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
  dockerIndex: "application/vnd.docker.distribution.manifest.list.v2+json",
  dockerConfig: "application/vnd.docker.container.image.v1+json",
  dockerSchema1: "application/vnd.docker.distribution.manifest.v1+json",
  dockerSignedSchema1: "application/vnd.docker.distribution.manifest.v1+prettyjws",
} as const;

export type Compression = "none" | "gzip" | "zstd";

/** Layer types that can be unpacked. */
export const layerCompressions: Readonly<Record<string, Compression>> = {
  "application/vnd.oci.image.layer.v1.tar": "none",
  "application/vnd.oci.image.layer.v1.tar+gzip": "gzip",
  "application/vnd.oci.image.layer.v1.tar+zstd": "zstd",
  "application/vnd.docker.image.rootfs.diff.tar": "none",
  "application/vnd.docker.image.rootfs.diff.tar.gzip": "gzip",
  "application/vnd.docker.image.rootfs.diff.tar.zstd": "zstd",
};

/** OCI's type of a layer that is compressed so. */
export function layerTypeOf(compression: Compression): string {
  return `application/vnd.oci.image.layer.v1.tar${compression === "none" ? "" : `+${compression}`}`;
}

/** Points to a blob. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly platform?: Platform;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

interface Document {
  /** What the registry or the layout holds, byte for byte. */
  readonly raw: Uint8Array;
  readonly digest: Digest;
  readonly mediaType: string;
}

/** One image for one platform. */
export interface Manifest extends Document {
  readonly kind: "manifest";
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly artifactType?: string;
}

/** Several manifests, mostly one for each platform. */
export interface Index extends Document {
  readonly kind: "index";
  readonly manifests: readonly Descriptor[];
}

/** How containers of an image start, in Docker's spelling. All of it is data: none of it selects a code path, a host path or a security setting. */
export interface ContainerDefaults {
  readonly User?: string;
  readonly ExposedPorts?: readonly string[];
  readonly Env?: readonly string[];
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly Volumes?: readonly string[];
  readonly WorkingDir?: string;
  readonly Labels?: Readonly<Record<string, string>>;
  readonly StopSignal?: string;
  readonly OnBuild?: readonly string[];
  readonly Shell?: readonly string[];
  readonly Healthcheck?: Healthcheck;
}

/** Durations in nanoseconds; 0 or absent: the default. */
export interface Healthcheck {
  readonly Test?: readonly string[];
  readonly Interval?: number;
  readonly Timeout?: number;
  readonly StartPeriod?: number;
  readonly StartInterval?: number;
  readonly Retries?: number;
}

export interface HistoryEntry {
  readonly created?: string;
  readonly createdBy?: string;
  readonly author?: string;
  readonly comment?: string;
  readonly emptyLayer?: boolean;
}

/** An image's configuration; its digest is the image's id. */
export interface ImageConfig {
  readonly raw: Uint8Array;
  readonly digest: Digest;
  readonly platform: Platform;
  readonly created?: string;
  readonly author?: string;
  readonly config: ContainerDefaults;
  /** Digests of the unpacked tars, in the manifest's order: the lowest layer first. */
  readonly diffIds: readonly Digest[];
  readonly history: readonly HistoryEntry[];
}
