/**
 * The registry configuration file: one table per registry host.
 *
 *     ["docker.io"]
 *     mirrors = ["http://127.0.0.1:5000"]   # asked first, in this order, without credentials
 *     plain-http = true                     # no TLS to the host itself
 *     ca = "/etc/orlop/ca.pem"              # PEM, instead of the system's
 *     certificate = "/etc/orlop/client.pem" # for servers that ask who we are
 *     key = "/etc/orlop/client.key"
 *     realms = ["auth.example.com"]         # hosts besides its own that may see its credentials, for tokens
 */
import { OrlopError } from "../base/errors.ts";
import { asObject, asText, asTextList, asTruth, optional, ShapeFault } from "./json-shape.ts";

export interface RegistryHost {
  /** http(s)://HOST[:PORT][/PREFIX], no slash at the end. */
  readonly mirrors: readonly string[];
  readonly plainHttp?: boolean;
  /** Paths of PEM files. */
  readonly ca?: string;
  readonly certificate?: string;
  readonly key?: string;
  readonly realms: readonly string[];
}

/** By host as references write it, e.g. "docker.io", "localhost:5000". */
export type RegistryConfig = ReadonlyMap<string, RegistryHost>;

const fields = ["mirrors", "plain-http", "ca", "certificate", "key", "realms"];

/** The configuration in a parsed TOML document. path: for errors. @throws {OrlopError} bad_configuration */
export function parseRegistryConfig(document: unknown, path: string): RegistryConfig {
  try {
    return new Map(Object.entries(asObject(document, "the file")).map(([host, table]) => [host, asHost(table, host)]));
  } catch (error) {
    if (error instanceof ShapeFault) throw OrlopError.of("bad_configuration", { path, reason: error.message });
    throw error;
  }
}

function asHost(value: unknown, host: string): RegistryHost {
  const table = asObject(value, `["${host}"]`);
  for (const field of Object.keys(table))
    if (!fields.includes(field)) throw new ShapeFault(`["${host}"] has an unknown field ${field}`);
  if ("certificate" in table !== "key" in table)
    throw new ShapeFault(`["${host}"] needs both certificate and key, or neither`);
  return {
    mirrors: optional(table, "mirrors", "mirrors", asMirrors).mirrors ?? [],
    ...optional(table, "plain-http", "plainHttp", asTruth),
    ...optional(table, "ca", "ca", asPath),
    ...optional(table, "certificate", "certificate", asPath),
    ...optional(table, "key", "key", asPath),
    realms: optional(table, "realms", "realms", asTextList).realms ?? [],
  };
}

function asMirrors(value: unknown, at: string): string[] {
  return asTextList(value, at).map((text) => {
    if (!/^https?:\/\/[^/?#@\s]+(\/[^?#\s]*)?$/.test(text))
      throw new ShapeFault(`mirror ${text} is not http(s)://HOST[:PORT]`);
    return text.replace(/\/+$/, "");
  });
}

function asPath(value: unknown, at: string): string {
  const path = asText(value, at);
  if (!path.startsWith("/")) throw new ShapeFault(`${at} is not an absolute path`);
  return path;
}
