/** Opens sessions: from a reference and the configuration to the endpoints that are asked, in order. */
import type { RegistryConfig } from "../spec/registry-config.ts";
import type { Credentials } from "../spec/registry-credentials.ts";
import { type Wait, waitForClock } from "./backoff.ts";
import { downloadUrl } from "./download-url.ts";
import { planEndpoints } from "./registry-endpoint.ts";
import { RegistrySession } from "./registry-session.ts";
import { RegistryTransport } from "./registry-transport.ts";

export interface RegistriesOptions {
  readonly config: RegistryConfig;
  /** The proxy variables of the engine's environment. */
  readonly proxies: Readonly<Record<string, string | undefined>>;
  readonly userAgent: string;
  /** Replaced in tests. */
  readonly wait?: Wait;
  readonly stallMs?: number;
}

const stallMs = 30_000;

export class Registries {
  readonly #options: RegistriesOptions;
  readonly #transport: RegistryTransport;

  constructor(options: RegistriesOptions) {
    this.#options = options;
    this.#transport = new RegistryTransport(options);
  }

  /** For reading: mirrors first, the registry itself last. */
  sessions(
    place: { readonly host: string; readonly repository: string },
    credentials?: Credentials,
  ): RegistrySession[] {
    return planEndpoints(place.host, this.#options.config).map(
      (endpoint) =>
        new RegistrySession({
          transport: this.#transport,
          endpoint,
          repository: place.repository,
          wait: this.#options.wait ?? waitForClock,
          nowMs: Date.now,
          random: Math.random,
          stallMs: this.#options.stallMs ?? stallMs,
          ...(credentials === undefined ? {} : { credentials }),
        }),
    );
  }

  /** Downloads from any URL, without a registry's configuration or credentials. @throws {OrlopError} bad_value, file_unreadable */
  download(url: string, signal?: AbortSignal): AsyncGenerator<Uint8Array, void> {
    const wait = this.#options.stallMs ?? stallMs;
    return downloadUrl(this.#transport, url, { stallMs: wait, ...(signal && { signal }) });
  }

  /** For writing: the registry itself. */
  session(place: { readonly host: string; readonly repository: string }, credentials?: Credentials): RegistrySession {
    const session = this.sessions(place, credentials).at(-1);
    if (session === undefined) throw new Error("planEndpoints gives the registry itself, always");
    return session;
  }
}
