/**
 * One caller's requests to one endpoint, with authorization and retries: each request is tried until it has a conclusive answer, with
 * back-off, at most five times.
 */
import { OrlopError } from "../base/errors.ts";
import { parseRegistryError, parseRetryAfter } from "../spec/distribution.ts";
import type { Credentials } from "../spec/registry-credentials.ts";
import { attemptsMax, backoffMs, isPassing, type Wait } from "./backoff.ts";
import { BodyTooLarge, readWhole } from "./bounded-body.ts";
import { RegistryAuth } from "./registry-auth.ts";
import type { Endpoint } from "./registry-endpoint.ts";
import {
  ConnectionFault,
  type HttpAnswer,
  type HttpRequest,
  type RegistryTransport,
  shown,
} from "./registry-transport.ts";

export interface SessionOptions {
  readonly transport: RegistryTransport;
  readonly endpoint: Endpoint;
  readonly repository: string;
  /** Used only when the endpoint is the registry itself. */
  readonly credentials?: Credentials;
  readonly wait: Wait;
  readonly nowMs: () => number;
  readonly random: () => number;
  /** The window in which a body must make progress. */
  readonly stallMs: number;
}

export interface SessionRequest {
  readonly method: HttpRequest["method"];
  /** Absolute; or the endpoint's own, with a slash in front; or from its `/v2/REPOSITORY/` on. */
  readonly path: string | URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | Blob;
  /** What the token must allow; "pull" unless said otherwise. */
  readonly actions?: "pull" | "pull,push" | "delete" | "none";
  /** A second repository to read from, for a mount. */
  readonly from?: string;
  /** Statuses that the caller handles. Others become errors. */
  readonly expect: readonly number[];
  /** Attempts; 1 for a request that must not be sent twice. */
  readonly attempts?: number;
  readonly signal?: AbortSignal;
}

const errorBodyMax = 64 * 1024;

export class RegistrySession {
  readonly options: SessionOptions;
  readonly #auth: RegistryAuth;
  #base: string;
  #probed: Promise<void> | undefined;

  constructor(options: SessionOptions) {
    this.options = options;
    this.#base = options.endpoint.url;
    const isItself = options.endpoint.credentialsOf !== undefined;
    this.#auth = new RegistryAuth({ ...options, credentials: isItself ? options.credentials : undefined });
  }

  /**
   * Sends a request until it is answered. The caller reads or cancels the body.
   *
   * @throws {OrlopError} registry_*, realm_refused, manifest_unknown is the caller's to say (404 in `expect`)
   */
  async send(request: SessionRequest): Promise<HttpAnswer> {
    const most = request.attempts ?? attemptsMax;
    for (let failed = 0; ; ) {
      const outcome = await this.#attempt(request);
      if (outcome instanceof ConnectionFault === false && request.expect.includes(outcome.response.status))
        return outcome;
      failed++;
      if (outcome instanceof ConnectionFault) {
        if (failed >= most || outcome.isRefusal) throw this.#unreachable(request, outcome);
        await this.#pause(failed, undefined, request.signal);
        continue;
      }
      const { status, headers } = outcome.response;
      if (!isPassing(status) || failed >= most) throw await this.#refusal(request, outcome);
      await outcome.response.body?.cancel();
      await this.#pause(failed, parseRetryAfter(headers.get("retry-after"), this.options.nowMs()), request.signal);
    }
  }

  /** A small answer's body. what: for errors. @throws {OrlopError} registry_broken, registry_unreachable */
  async readBody(answer: HttpAnswer, limitBytes: number, what: string): Promise<Uint8Array> {
    try {
      return await readWhole(answer.response, limitBytes, this.options.stallMs);
    } catch (error) {
      const url = shown(answer.url);
      if (error instanceof BodyTooLarge)
        throw OrlopError.of("registry_broken", { url, reason: `${what} is ${error.message}` });
      if (error instanceof ConnectionFault)
        throw OrlopError.of("registry_unreachable", { url, reason: error.message }, error);
      throw error;
    }
  }

  /** Waits for the back-off. */
  async #pause(failed: number, retryAfterMs: number | undefined, signal: AbortSignal | undefined): Promise<void> {
    await this.options.wait(backoffMs(failed, retryAfterMs, this.options.random()), signal);
  }

  /** Sends it once, and again with authorization if the registry answers 401. */
  async #attempt(request: SessionRequest): Promise<HttpAnswer | ConnectionFault> {
    const scope = this.#scopeOf(request);
    try {
      if (this.options.endpoint.tryPlain) await this.#probe(request.signal);
      const first = await this.#sendOnce(request, this.#auth.known(scope));
      if (first.response.status !== 401 || first.isElsewhere) return first;
      const authorization = await this.#auth.answer(
        first.response.headers.get("www-authenticate"),
        scope,
        request.signal,
      );
      if (authorization === undefined) return first;
      await first.response.body?.cancel();
      return await this.#sendOnce(request, authorization);
    } catch (error) {
      if (error instanceof ConnectionFault) return error;
      throw error;
    }
  }

  #sendOnce(request: SessionRequest, authorization: string | undefined): Promise<HttpAnswer> {
    const { endpoint, transport, repository } = this.options;
    const { path } = request;
    const below = `${path}`.startsWith("/") ? path : `/v2/${repository}/${path}`;
    const url = path instanceof URL ? path : new URL(`${this.#base}${below}`);
    const isOwn = url.origin === new URL(this.#base).origin;
    return transport.send(endpoint, {
      method: request.method,
      url,
      headers: request.headers ?? {},
      ...(authorization === undefined || !isOwn ? {} : { authorization }),
      ...(request.body === undefined ? {} : { body: request.body }),
      ...(request.signal === undefined ? {} : { signal: request.signal }),
    });
  }

  #scopeOf({ actions = "pull", from }: SessionRequest): string {
    if (actions === "none") return "";
    const own = `repository:${this.options.repository}:${actions}`;
    return from === undefined ? own : `${own} repository:${from}:pull`;
  }

  /** Loopback registries may speak http: asked once, without credentials. */
  #probe(signal: AbortSignal | undefined): Promise<void> {
    this.#probed ??= this.#probePlain(signal).catch((error) => {
      this.#probed = undefined;
      throw error;
    });
    return this.#probed;
  }

  async #probePlain(signal: AbortSignal | undefined): Promise<void> {
    const { endpoint, transport } = this.options;
    const request = { method: "GET", url: new URL(`${endpoint.url}/v2/`), headers: {} } as const;
    try {
      const { response } = await transport.send(endpoint, { ...request, ...(signal === undefined ? {} : { signal }) });
      await response.body?.cancel();
    } catch (error) {
      if (!(error instanceof ConnectionFault) || error.isCertificate) throw error;
      this.#base = endpoint.url.replace(/^https:/, "http:");
    }
  }

  #unreachable(request: SessionRequest, fault: ConnectionFault): OrlopError {
    const { repository } = this.options;
    const url =
      request.path instanceof URL
        ? shown(request.path)
        : `${this.#base}/v2/${repository === "" ? "" : `${repository}/`}`;
    return OrlopError.of("registry_unreachable", { url, reason: fault.message }, fault);
  }

  async #refusal(request: SessionRequest, { response, url }: HttpAnswer): Promise<OrlopError> {
    const body = await readWhole(response, errorBodyMax, this.options.stallMs).catch(() => new Uint8Array());
    const { status } = response;
    const reason = parseRegistryError(body).message || response.statusText || "no reason given";
    const { repository, credentials, endpoint } = this.options;
    const anonymous = credentials === undefined || endpoint.isMirror;
    if (status === 401 && !anonymous)
      return OrlopError.of("registry_unauthorized", { host: endpoint.credentialsOf ?? endpoint.url, reason });
    if (status === 401 || status === 403)
      return OrlopError.of("registry_denied", {
        repository,
        reason,
        doing: doingOf(request.actions),
      });
    return OrlopError.of("registry_failed", { url: shown(url), status, reason });
  }
}

/** What the request was for, in the words of Docker's message. */
function doingOf(actions: SessionRequest["actions"] = "pull"): string {
  if (actions === "none") return "registry";
  return actions === "pull" ? "pull" : "push";
}
