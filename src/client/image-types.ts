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
