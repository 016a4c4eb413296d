/** What is said about images over the Engine API: the fields that Orlop's client reads, in Docker's spelling. */

export interface ImageSummary {
  readonly Id: string;
  readonly RepoTags: readonly string[] | null;
  readonly RepoDigests: readonly string[] | null;
  /** Unix time in seconds. */
  readonly Created: number;
  readonly Size: number;
  /** -1: not counted. */
  readonly SharedSize?: number;
  readonly Containers?: number;
  readonly Labels: Readonly<Record<string, string>> | null;
  /** Where they were asked for: what the image's index names, those that are here first. */
  readonly Manifests?: readonly ManifestSummary[];
}

export interface ManifestSummary {
  /** Its digest. */
  readonly ID: string;
  readonly Kind: "image" | "attestation" | "unknown";
  /** All of it is here. */
  readonly Available: boolean;
  /** In bytes: as it came, and with what is unpacked of it. */
  readonly Size: { readonly Content: number; readonly Total: number };
  readonly ImageData?: {
    readonly Platform: { readonly os: string; readonly architecture: string; readonly variant?: string };
    readonly Containers: readonly string[];
  };
}

/** One message of something that goes on, about the part `id` or the whole. */
export interface ProgressMessage {
  readonly id?: string;
  readonly status?: string;
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
  readonly stream?: string;
  readonly aux?: Readonly<Record<string, unknown>>;
  readonly error?: string;
}

export type Filters = Readonly<Record<string, readonly string[]>>;

/** One step of an image's build, the newest first in a history. */
export interface HistoryEntry {
  /** "<missing>" for what lies below the image. */
  readonly Id: string;
  /** Unix time in seconds. */
  readonly Created: number;
  readonly CreatedBy: string;
  readonly Tags: readonly string[] | null;
  readonly Size: number;
  readonly Comment: string;
}

/** A name or an image that went. */
export interface RemovedImage {
  readonly Untagged?: string;
  readonly Deleted?: string;
}

export interface ImagePruned {
  readonly ImagesDeleted: readonly RemovedImage[] | null;
  readonly SpaceReclaimed: number;
}

export interface FoundRepository {
  readonly name: string;
  readonly description: string;
  readonly star_count: number;
  readonly is_official: boolean;
}
