/** Where a registry host is reached: its mirrors first, then itself. Pure. */
import type { RegistryConfig, RegistryHost } from "../spec/registry-config.ts";

export interface Endpoint {
  /** http(s)://HOST[:PORT][/PREFIX]; `/v2/…` follows. */
  readonly url: string;
  /** The reference's host, whose credentials may be used here; mirrors get none. */
  readonly credentialsOf?: string;
  readonly host: RegistryHost;
  /** A loopback host without configuration: plain http is tried when https does not answer. */
  readonly tryPlain: boolean;
  readonly isMirror: boolean;
}

const noTable: RegistryHost = { mirrors: [], realms: [] };

/** docker.io's registry has another name. */
const realHosts: Readonly<Record<string, string>> = { "docker.io": "registry-1.docker.io" };

/** The endpoints to try for reading, in order. The last one is the registry itself: the only one for writing. */
export function planEndpoints(host: string, config: RegistryConfig): Endpoint[] {
  const table = config.get(host) ?? noTable;
  const mirrors = table.mirrors.map((url): Endpoint => {
    const own = config.get(new URL(url).host) ?? noTable;
    return { url, host: own, tryPlain: false, isMirror: true };
  });
  const scheme = table.plainHttp === true ? "http" : "https";
  const tryPlain = !config.has(host) && isLoopback(host);
  const itself = { url: `${scheme}://${realHosts[host] ?? host}`, credentialsOf: host, host: table, tryPlain };
  return [...mirrors, { ...itself, isMirror: false }];
}

/** Whether a host (with or without port) is this machine: as in Docker, TLS is optional then. */
function isLoopback(host: string): boolean {
  const name = host.replace(/:\d+$/, "");
  return name === "localhost" || /^127(\.\d{1,3}){3}$/.test(name) || name === "[::1]";
}

/**
 * Whether a token server may get the registry's credentials: its own host, one in the same domain (registry.gitlab.com and
 * gitlab.com, registry-1.docker.io and auth.docker.io), or one that the configuration names.
 */
export function realmMaySeeCredentials(realm: URL, endpoint: Endpoint): boolean {
  const registry = new URL(endpoint.url).hostname;
  const host = realm.hostname;
  if (host === registry || endpoint.host.realms.includes(host) || endpoint.host.realms.includes(realm.host))
    return true;
  const site = siteOf(registry);
  return site !== undefined && site === siteOf(host);
}

/** The domain that a host belongs to; undefined for addresses and single names. */
function siteOf(host: string): string | undefined {
  const labels = host.split(".");
  if (labels.length < 2 || /^[\d.]+$/.test(host) || host.startsWith("[")) return undefined;
  return labels.length === 2 ? host : labels.slice(1).join(".");
}
