/** The header and body formats of the OCI distribution specification 1.1 and of its bearer tokens. Pure. */
import { asList, asObject, asText, optional, parseJsonObject, ShapeFault } from "./json-shape.ts";

/** What a 401 asks for (RFC 9110, 11.6.1). */
export type Challenge =
  | { readonly scheme: "basic" }
  | { readonly scheme: "bearer"; readonly realm: string; readonly service?: string; readonly scope?: string };

/** The challenges in a WWW-Authenticate header, unknown schemes left out. */
export function parseChallenges(header: string): Challenge[] {
  const challenges: Challenge[] = [];
  // a scheme is a token that is not followed by "="; parameters belong to the scheme before them
  const pattern = /([a-z0-9!#$%&'*+.^_`|~-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?/gi;
  let parameters: Map<string, string> | undefined;
  const schemes: [string, Map<string, string>][] = [];
  for (const [whole, word = "", quoted, plain] of header.slice(0, 16_384).matchAll(pattern)) {
    if (whole.includes("=")) {
      const value = quoted === undefined ? (plain ?? "") : quoted.replace(/\\(.)/g, "$1");
      parameters?.set(word.toLowerCase(), value);
    } else {
      parameters = new Map();
      schemes.push([word.toLowerCase(), parameters]);
    }
  }
  for (const [scheme, values] of schemes) {
    const realm = values.get("realm");
    if (scheme === "basic") challenges.push({ scheme });
    if (scheme !== "bearer" || realm === undefined) continue;
    const service = values.get("service");
    const scope = values.get("scope");
    challenges.push({
      scheme,
      realm,
      ...(service === undefined ? {} : { service }),
      ...(scope === undefined ? {} : { scope }),
    });
  }
  return challenges;
}

/** A token server's answer. */
export interface Token {
  readonly token: string;
  readonly lifetimeSeconds: number;
}

/** Without `expires_in`, a token lives 60 s (distribution's token specification). @throws {ShapeFault} */
export function parseToken(body: Uint8Array): Token {
  const document = parseJsonObject(body);
  const token = asText(document["token"] ?? document["access_token"], "token");
  if (!/^[\x21-\x7e]{1,65536}$/.test(token)) throw new ShapeFault("the token has characters that no header can carry");
  const seconds = document["expires_in"];
  const known = typeof seconds === "number" && seconds >= 0;
  return { token, lifetimeSeconds: known ? Math.max(60, seconds) : 60 };
}

/** The registry's own words in an error's body; "" when it says nothing that can be read. */
export function parseRegistryError(body: Uint8Array): { readonly code: string; readonly message: string } {
  try {
    const [first] = asList(parseJsonObject(body)["errors"], "errors", 1000, (value, at) => {
      const object = asObject(value, at);
      return { ...optional(object, "code", "code", asText), ...optional(object, "message", "message", asText) };
    });
    return { code: first?.code ?? "", message: printable(first?.message ?? first?.code ?? "") };
  } catch (error) {
    if (!(error instanceof ShapeFault)) throw error;
    return { code: "", message: printable(new TextDecoder().decode(body.subarray(0, 200))) };
  }
}

/** One line without control characters: a registry's words end up on a terminal. */
function printable(text: string): string {
  return text
    .replace(/[\x00-\x1f\x7f-\x9f]+/g, " ")
    .trim()
    .slice(0, 300);
}

/** The next page's address in a Link header (RFC 8288), as it is written. */
export function parseNextLink(header: string | null): string | undefined {
  for (const [, target, parameters = ""] of (header ?? "").matchAll(/<([^>]*)>([^,<]*)/g))
    if (/;\s*rel="?next"?/i.test(parameters)) return target;
  return undefined;
}

/** `bytes FIRST-LAST/SIZE` of a 206, SIZE undefined for "*". */
export function parseContentRange(header: string | null): { first: number; last: number; size?: number } | undefined {
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/.exec(header ?? "");
  if (match === null) return undefined;
  const [, first, last, size] = match;
  return { first: Number(first), last: Number(last), ...(size === "*" ? {} : { size: Number(size) }) };
}

/** How far an upload has come: `Range: 0-LAST`, maybe with `bytes=` in front. Undefined: nothing was said. */
export function parseUploadRange(header: string | null): number | undefined {
  const match = /^(?:bytes=)?0-(-?\d{1,15})$/.exec(header ?? "");
  return match === null ? undefined : Number(match[1]) + 1;
}

/** Milliseconds that Retry-After asks for: seconds or a date (RFC 9110, 10.2.3). nowMs: Unix time. */
export function parseRetryAfter(header: string | null, nowMs: number): number | undefined {
  if (header === null) return undefined;
  if (/^\d{1,9}$/.test(header.trim())) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs);
}
