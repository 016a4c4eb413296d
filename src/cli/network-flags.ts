/** `--network` and what belongs to it, as the API's NetworkMode and EndpointsConfig. */
import { OrlopError } from "../base/errors.ts";
import type { EndpointConfig } from "../client/network-types.ts";
import { parseOptions } from "./key-values.ts";

export interface NetworkFlags {
  readonly network: readonly string[];
  readonly net: readonly string[];
  readonly networkAlias: readonly string[];
  readonly netAlias: readonly string[];
  readonly ip: string | undefined;
  readonly ip6: string | undefined;
  readonly macAddress: string | undefined;
  readonly link: readonly string[];
  readonly linkLocalIp: readonly string[];
  /** Of `network connect` alone: elsewhere it is a part of `--network`. */
  readonly driverOpt?: readonly string[];
}

export interface NetworkChoice {
  readonly mode: string | undefined;
  readonly endpoints: Readonly<Record<string, EndpointConfig>>;
  /** Of the default network, which has no endpoints' own. */
  readonly links: readonly string[];
}

/** Networks that take neither aliases nor links of their own. */
const plainModes = /^(default|bridge|host|none|container:.*|ns:.*)$/;

/** @throws {OrlopError} bad_value */
export function chooseNetworks(flags: NetworkFlags): NetworkChoice {
  const written = [...flags.network, ...flags.net].map(parseNetwork);
  const [first = { name: "default", config: {} }, ...more] = written;
  const isOwn = !plainModes.test(first.name);
  const own = merge(first.config, {
    Aliases: [...flags.networkAlias, ...flags.netAlias],
    Links: isOwn ? flags.link : [],
    MacAddress: flags.macAddress,
    IPAMConfig: without({ IPv4Address: flags.ip, IPv6Address: flags.ip6, LinkLocalIPs: flags.linkLocalIp }),
    DriverOpts: parseOptions(flags.driverOpt ?? [], "--driver-opt"),
  });
  const endpoints = Object.keys(own).length === 0 && more.length === 0 ? {} : { [first.name]: own };
  for (const { name, config } of more) {
    if (Object.hasOwn(endpoints, name))
      throw OrlopError.of("bad_value", { what: "--network", value: name, expected: "each network once" });
    Object.assign(endpoints, { [name]: config });
  }
  return { mode: written.length === 0 ? undefined : first.name, endpoints, links: isOwn ? [] : flags.link };
}

/** "NETWORK", or "name=NETWORK,ip=…,ip6=…,alias=…,link-local-ip=…,mac-address=…,gw-priority=…,driver-opt=KEY=VALUE"; a part with a comma in it is quoted. */
function parseNetwork(text: string): { readonly name: string; readonly config: EndpointConfig } {
  if (!/^[a-z0-9-]+=/.test(text)) return { name: text, config: {} };
  const values = new Map<string, string[]>();
  for (const part of partsOf(text)) {
    const equals = part.indexOf("=");
    const key = part
      .slice(0, equals < 0 ? part.length : equals)
      .trim()
      .toLowerCase();
    values.set(key, [...(values.get(key) ?? []), equals < 0 ? "" : part.slice(equals + 1)]);
  }
  const known = ["name", "ip", "ip6", "link-local-ip", "alias", "mac-address", "gw-priority", "driver-opt"];
  const other = [...values.keys()].find((key) => !known.includes(key));
  const one = (key: string): string | undefined => values.get(key)?.at(-1);
  const name = one("name") ?? "";
  const priority = one("gw-priority");
  if (other !== undefined || name === "" || (priority !== undefined && !/^-?\d{1,9}$/.test(priority)))
    throw OrlopError.of("bad_value", {
      what: "--network",
      value: text,
      expected: `name=NETWORK and ${known.slice(1).join(", ")}`,
    });
  return {
    name,
    config: merge(
      {},
      {
        Aliases: values.get("alias") ?? [],
        Links: [],
        MacAddress: one("mac-address"),
        IPAMConfig: without({
          IPv4Address: one("ip"),
          IPv6Address: one("ip6"),
          LinkLocalIPs: values.get("link-local-ip"),
        }),
        ...(priority === undefined ? {} : { GwPriority: Number(priority) }),
        DriverOpts: parseOptions(values.get("driver-opt") ?? [], "--network driver-opt"),
      },
    ),
  };
}

/** As in a line of CSV: `driver-opt="KEY=a,b"` or `"driver-opt=KEY=a,b"` is one part. */
function partsOf(text: string): string[] {
  const parts = text.match(/("[^"]*"|[^,"])+/g) ?? [];
  return parts.map((part) => part.replaceAll('"', ""));
}

type Loose = { readonly [K in keyof EndpointConfig]?: EndpointConfig[K] | undefined };

/** Both, without what says nothing. */
function merge(one: EndpointConfig, other: Loose): EndpointConfig {
  return { ...one, ...without(other) } as EndpointConfig;
}

function without<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const kept = Object.entries(values).filter(
    ([, value]) =>
      value !== undefined && !(typeof value === "object" && value !== null && Object.keys(value).length === 0),
  );
  return Object.fromEntries(kept) as { [K in keyof T]?: Exclude<T[K], undefined> };
}
