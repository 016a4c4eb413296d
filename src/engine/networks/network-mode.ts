/** HostConfig.NetworkMode: a network, or a mode without one. */

import { OrlopError } from "../../base/errors.ts";
import type { ContainerCreateBody } from "../../spec/engine-api-container.ts";
import { type EndpointSettings, noEndpointSettings } from "../../spec/engine-api-network.ts";
import { DEFAULT_NETWORK } from "./network-record.ts";

export type NetworkMode =
  | { readonly kind: "none" }
  | { readonly kind: "host" }
  | { readonly kind: "container"; readonly container: string }
  /** A network namespace that is kept by somebody else. */
  | { readonly kind: "namespace"; readonly path: string }
  /** A name or an id. */
  | { readonly kind: "network"; readonly network: string };

type ModeBody = Pick<ContainerCreateBody, "HostConfig"> & Partial<Pick<ContainerCreateBody, "NetworkDisabled">>;

export function networkModeOf({ HostConfig, NetworkDisabled }: ModeBody): NetworkMode {
  if (NetworkDisabled) return { kind: "none" };
  const mode = HostConfig.NetworkMode;
  if (mode === "none") return { kind: "none" };
  if (mode === "" || mode === "default") return { kind: "network", network: DEFAULT_NETWORK };
  if (mode === "host") return { kind: "host" };
  if (mode.startsWith("container:")) return { kind: "container", container: mode.slice("container:".length) };
  if (mode.startsWith("ns:")) return { kind: "namespace", path: mode.slice("ns:".length) };
  return { kind: "network", network: mode };
}

/** A network that a container is to be in, by name or id. */
export interface AskedEndpoint {
  readonly network: string;
  readonly settings: EndpointSettings;
}

/**
 * The networks of a request, that of NetworkMode first; none for other modes.
 *
 * @param changed the endpoints by network name, after `connect` or `disconnect` has changed them
 */
export function endpointsOf(
  body: ContainerCreateBody,
  changed?: Readonly<Record<string, EndpointSettings>>,
): AskedEndpoint[] {
  const mode = networkModeOf(body);
  if (mode.kind !== "network") return [];
  if (changed !== undefined) return Object.entries(changed).map(([network, settings]) => ({ network, settings }));
  const given = body.NetworkingConfig.EndpointsConfig;
  const ofDefault = mode.network === DEFAULT_NETWORK ? settingsOf(body, "default") : undefined;
  const own = settingsOf(body, mode.network) ?? ofDefault ?? noEndpointSettings;
  const first = { network: mode.network, settings: withMac(own, body.MacAddress) };
  const more = Object.entries(given)
    .filter(([name]) => name !== mode.network && name !== "default")
    .map(([network, settings]) => ({ network, settings }));
  return [first, ...more];
}

/** The settings for a network; undefined: none (also for names like `__proto__`). */
export function settingsOf(
  { NetworkingConfig }: Pick<ContainerCreateBody, "NetworkingConfig">,
  network: string,
): EndpointSettings | undefined {
  const given = NetworkingConfig.EndpointsConfig;
  return Object.hasOwn(given, network) ? given[network] : undefined;
}

function withMac(settings: EndpointSettings, mac: string): EndpointSettings {
  return mac === "" || settings.MacAddress !== "" ? settings : { ...settings, MacAddress: mac };
}

/** @throws {OrlopError} network_mode_excludes, address_not_allowed, bad_value: the request has a setting that the mode excludes */
export function checkMode(body: ContainerCreateBody): void {
  const mode = networkModeOf(body);
  const host = body.HostConfig;
  const written = host.NetworkMode;
  const refuse = (what: string): OrlopError => OrlopError.of("network_mode_excludes", { mode: written, what });
  if (mode.kind === "network") return;
  if (body.MacAddress !== "") throw refuse("mac-address");
  const others = Object.keys(body.NetworkingConfig.EndpointsConfig).filter(
    (name) => name !== written && name !== "default",
  );
  if (others.length > 0) throw refuse(`the network ${others[0]}`);
  if (host.Links.length > 0) throw refuse("links");
  const own = settingsOf(body, written) ?? noEndpointSettings;
  if (own.IPAMConfig.IPv4Address !== "" || own.IPAMConfig.IPv6Address !== "")
    throw OrlopError.of("address_not_allowed", { network: written });
  if (own.MacAddress !== "") throw refuse("mac-address");
  if (mode.kind === "container" || mode.kind === "namespace") {
    if (Object.keys(host.PortBindings).length > 0 || host.PublishAllPorts) throw refuse("port publishing");
    if (Object.keys(body.ExposedPorts).length > 0 && mode.kind === "container") throw refuse("port exposing");
    if (body.Hostname !== "" && mode.kind === "container") throw refuse("hostname");
  }
  if (mode.kind === "container") {
    // They would be in files of the other container.
    if ([host.Dns, host.DnsSearch, host.DnsOptions].some((words) => words.length > 0)) throw refuse("dns");
    if (host.ExtraHosts.length > 0) throw refuse("custom host-to-IP mapping");
  }
  if (mode.kind === "namespace" && !mode.path.startsWith("/"))
    throw OrlopError.of("bad_value", { what: "NetworkMode", value: written, expected: "ns: and an absolute path" });
}
