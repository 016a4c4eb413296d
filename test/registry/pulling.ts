/** A pull for tests: into a store of its own, without waiting, with everything it did written down. */
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BlobFetcher } from "../../src/images/blob-fetcher.ts";
import { ContentStore } from "../../src/images/content-store.ts";
import { Leases } from "../../src/images/leases.ts";
import { type PullEvent, type PulledImage, pullImage } from "../../src/images/pull.ts";
import { Registries } from "../../src/images/registries.ts";
import { type Digest, hexOf } from "../../src/spec/digest.ts";
import { parseReference } from "../../src/spec/reference.ts";
import { parseRegistryConfig } from "../../src/spec/registry-config.ts";
import type { Credentials } from "../../src/spec/registry-credentials.ts";

export interface PullerOptions {
  /** The registry configuration, as its TOML would parse. Without a table, a loopback host is probed for TLS first. */
  readonly config?: unknown;
  readonly credentials?: Credentials;
  readonly proxies?: Readonly<Record<string, string>>;
  readonly stallMs?: number;
  readonly folder?: string;
}

export class Puller implements AsyncDisposable {
  readonly store: ContentStore;
  readonly fetcher: BlobFetcher;
  readonly registries: Registries;
  readonly leases = new Leases();
  /** Every wait that was asked for, in milliseconds. None of them took place. */
  readonly waits: number[] = [];
  readonly events: PullEvent[] = [];
  readonly folder: string;
  readonly #options: PullerOptions;

  private constructor(store: ContentStore, folder: string, options: PullerOptions) {
    this.store = store;
    this.folder = folder;
    this.#options = options;
    this.fetcher = new BlobFetcher(store);
    this.registries = new Registries({
      config: parseRegistryConfig(options.config ?? {}, "registries.toml"),
      proxies: options.proxies ?? {},
      userAgent: "orlop-test",
      wait: async (ms, signal) => {
        signal?.throwIfAborted();
        this.waits.push(ms);
      },
      ...(options.stallMs === undefined ? {} : { stallMs: options.stallMs }),
    });
  }

  static async open(options: PullerOptions = {}): Promise<Puller> {
    const folder = options.folder ?? mkdtempSync(join(tmpdir(), "orlop-pull-"));
    return new Puller(await ContentStore.open(folder), folder, options);
  }

  async pull(written: string, signal?: AbortSignal): Promise<PulledImage> {
    using lease = this.leases.open();
    const reference = parseReference(written);
    return await pullImage({
      reference,
      platform: { os: "linux", architecture: "amd64" },
      sessions: this.registries.sessions(reference, this.#options.credentials),
      store: this.store,
      fetcher: this.fetcher,
      lease,
      onEvent: (event) => this.events.push(event),
      ...(signal === undefined ? {} : { signal }),
    });
  }

  /** What unfinished downloads left. */
  ingests(): string[] {
    return readdirSync(join(this.folder, "ingest"));
  }

  /** Bytes of an unfinished download. */
  ingestSize(digest: Digest): number {
    return statSync(join(this.folder, "ingest", hexOf(digest)), { throwIfNoEntry: false })?.size ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#options.folder === undefined) rmSync(this.folder, { recursive: true });
  }
}

/** The message of the error that this ends with. */
export async function failure(attempt: Promise<unknown>): Promise<string> {
  try {
    await attempt;
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("this should have failed");
}

/** Bytes that no compression or cache makes special. */
export function randomBytes(size: number, seed: number): Buffer {
  const bytes = Buffer.alloc(size);
  let state = seed * 2_654_435_761 + 1;
  for (let i = 0; i < size; i += 4) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes.writeUInt32LE(state, Math.min(i, size - 4));
  }
  return bytes;
}
