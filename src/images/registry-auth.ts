/** Answers a registry's 401: basic, or a bearer token from the server that the registry names. */
import { OrlopError } from "../base/errors.ts";
import { type Challenge, parseChallenges, parseRegistryError, parseToken, type Token } from "../spec/distribution.ts";
import { ShapeFault } from "../spec/json-shape.ts";
import type { Credentials } from "../spec/registry-credentials.ts";
import { BodyTooLarge, readWhole } from "./bounded-body.ts";
import { basicAuthorization } from "./credentials.ts";
import { type Endpoint, realmMaySeeCredentials } from "./registry-endpoint.ts";
import { type HttpRequest, type RegistryTransport, shown } from "./registry-transport.ts";

const tokenAnswerMax = 1 << 20;
const stallMs = 30_000;
/** A token that expires this soon is not used any more. */
const marginMs = 5000;

interface Held {
  readonly authorization: string;
  readonly untilMs: number;
}

export interface AuthOptions {
  readonly transport: RegistryTransport;
  readonly endpoint: Endpoint;
  readonly credentials: Credentials | undefined;
  readonly nowMs: () => number;
}

/** The authorizations of one endpoint for one caller, by scope. */
export class RegistryAuth {
  readonly #options: AuthOptions;
  readonly #held = new Map<string, Held>();

  constructor(options: AuthOptions) {
    this.#options = options;
  }

  /** The Authorization for a request of this scope, if one is known already. */
  known(scope: string): string | undefined {
    const held = this.#held.get(scope);
    if (held !== undefined && held.untilMs > this.#options.nowMs() + marginMs) return held.authorization;
    this.#held.delete(scope);
    return undefined;
  }

  /**
   * Answers the challenge of a 401. The scope that the registry asks for takes precedence over ours.
   *
   * @returns the new Authorization; undefined when we have no answer
   */
  async answer(header: string | null, scope: string, signal: AbortSignal | undefined): Promise<string | undefined> {
    const challenges = parseChallenges(header ?? "");
    const bearer = challenges.find((challenge) => challenge.scheme === "bearer");
    const held =
      bearer === undefined ? this.#basic(challenges) : await this.#bearer(bearer, bearer.scope ?? scope, signal);
    if (held !== undefined) this.#held.set(scope, held);
    return held?.authorization;
  }

  #basic(challenges: readonly Challenge[]): Held | undefined {
    const { credentials } = this.#options;
    if (credentials?.kind !== "password" || !challenges.some(({ scheme }) => scheme === "basic")) return undefined;
    return { authorization: basicAuthorization(credentials), untilMs: Number.POSITIVE_INFINITY };
  }

  async #bearer(
    challenge: Challenge & { scheme: "bearer" },
    scope: string,
    signal: AbortSignal | undefined,
  ): Promise<Held | undefined> {
    const { credentials, nowMs } = this.#options;
    if (credentials?.kind === "registry")
      return { authorization: `Bearer ${credentials.token}`, untilMs: Number.POSITIVE_INFINITY };
    const request = this.#tokenRequest(challenge, scope, signal);
    const { token, lifetimeSeconds } = await this.#askForToken(request);
    return { authorization: `Bearer ${token}`, untilMs: nowMs() + lifetimeSeconds * 1000 };
  }

  /** GET with the password or anonymously; POST for a refresh token (distribution spec, "token" and "oauth"). */
  #tokenRequest(
    { realm, service }: Challenge & { scheme: "bearer" },
    scope: string,
    signal: AbortSignal | undefined,
  ): HttpRequest {
    const { endpoint, credentials } = this.#options;
    const refuse = (reason: string): OrlopError => OrlopError.of("registry_broken", { url: endpoint.url, reason });
    if (!URL.canParse(realm)) throw refuse("the token server's address is not a URL");
    const url = new URL(realm);
    if (url.protocol !== "https:" && (url.protocol !== "http:" || endpoint.url.startsWith("https:")))
      throw refuse(`the token server's address is ${url.protocol}`);
    url.username = url.password = "";
    if (credentials !== undefined && !realmMaySeeCredentials(url, endpoint))
      throw OrlopError.of("realm_refused", { host: endpoint.credentialsOf ?? endpoint.url, realm: url.host });
    const fields = { ...(service === undefined ? {} : { service }), ...(scope === "" ? {} : { scope }) };
    const common = { ...(signal === undefined ? {} : { signal }) };
    if (credentials?.kind === "identity") {
      const grant = { grant_type: "refresh_token", refresh_token: credentials.token, client_id: "orlop", ...fields };
      const body = new TextEncoder().encode(new URLSearchParams(grant).toString());
      return { method: "POST", url, headers: { "content-type": "application/x-www-form-urlencoded" }, body, ...common };
    }
    for (const [name, value] of Object.entries(fields)) url.searchParams.append(name, value);
    const authorization = credentials?.kind === "password" ? { authorization: basicAuthorization(credentials) } : {};
    return { method: "GET", url, headers: {}, ...authorization, ...common };
  }

  async #askForToken(request: HttpRequest): Promise<Token> {
    const { transport, endpoint } = this.#options;
    const { response } = await transport.send(endpoint, request);
    const url = shown(request.url);
    try {
      const body = await readWhole(response, tokenAnswerMax, stallMs);
      if (response.status === 200) return parseToken(body);
      const reason = parseRegistryError(body).message || "no reason given";
      if (response.status === 401 || response.status === 403)
        throw OrlopError.of("registry_unauthorized", { host: endpoint.credentialsOf ?? endpoint.url, reason });
      throw OrlopError.of("registry_failed", { url, status: response.status, reason });
    } catch (error) {
      if (error instanceof ShapeFault || error instanceof BodyTooLarge)
        throw OrlopError.of("registry_broken", { url, reason: `the token: ${error.message}` });
      throw error;
    }
  }
}
