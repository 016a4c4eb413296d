/** Who asks a registry: comes with each request from the client, in `X-Registry-Auth` (Engine API, "Authentication"). */

import { OrlopError } from "../base/errors.ts";
import { asObject, asText, optional, parseJsonObject, ShapeFault } from "./json-shape.ts";

export type Credentials =
  | { readonly kind: "password"; readonly username: string; readonly password: string }
  /** An OAuth2 refresh token, as `docker login` stores it. */
  | { readonly kind: "identity"; readonly token: string }
  /** A bearer token that is used as it is. */
  | { readonly kind: "registry"; readonly token: string };

const headerMax = 64 * 1024;

/** The header's credentials: base64url of JSON. Undefined for one that says nothing. @throws {OrlopError} bad_value */
export function parseRegistryAuth(header: string | undefined): Credentials | undefined {
  if (header === undefined || header === "") return undefined;
  // what is wrong with it is never shown: it is a secret
  const refuse = (): OrlopError =>
    OrlopError.of("bad_value", { what: "X-Registry-Auth", value: "…", expected: "base64url of a JSON object" });
  if (header.length > headerMax || !/^[A-Za-z0-9+/_-]+={0,2}$/.test(header)) throw refuse();
  try {
    return credentialsOf(parseJsonObject(Buffer.from(header, "base64url")));
  } catch (error) {
    if (error instanceof ShapeFault) throw refuse();
    throw error;
  }
}

/** As `X-Registry-Auth` and the body of `POST /auth` have them. @throws {ShapeFault} */
function credentialsOf(document: Readonly<Record<string, unknown>>): Credentials | undefined {
  const given = {
    ...optional(document, "username", "username", asText),
    ...optional(document, "password", "password", asText),
    ...optional(document, "identitytoken", "identity", asText),
    ...optional(document, "registrytoken", "registry", asText),
  };
  if (given.registry) return { kind: "registry", token: given.registry };
  if (given.identity) return { kind: "identity", token: given.identity };
  if (!given.username && !given.password) return undefined;
  return { kind: "password", username: given.username ?? "", password: given.password ?? "" };
}

/** The body of `POST /auth`. @throws {OrlopError} bad_value */
export function parseAuthBody(body: unknown): { readonly address: string; readonly credentials?: Credentials } {
  try {
    const document = asObject(body, "the body");
    const credentials = credentialsOf(document);
    return {
      address: optional(document, "serveraddress", "address", asText).address ?? "",
      ...(credentials === undefined ? {} : { credentials }),
    };
  } catch (error) {
    if (!(error instanceof ShapeFault)) throw error;
    throw OrlopError.of("bad_value", { what: "request body", value: "…", expected: `credentials: ${error.message}` });
  }
}
