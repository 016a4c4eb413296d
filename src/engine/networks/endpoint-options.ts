/** What Docker's clients write as options of a container's place in a network: each is carried out, or refused by name. */

import { OrlopError } from "../../base/errors.ts";
import { contains, type IpAddress, parseAddress, parseSubnet, type Subnet } from "../../base/ip-address.ts";
import type { LinkSysctl } from "../../network/plan-sandbox.ts";
import type { EndpointSettings } from "../../spec/engine-api-network.ts";

const IFNAME = "com.docker.network.endpoint.ifname";
const SYSCTLS = "com.docker.network.endpoint.sysctls";

export interface EndpointOptions {
  /** The link's name in the container; undefined: eth0, eth1 … */
  readonly linkName: string | undefined;
  /** Of the link alone. */
  readonly sysctls: readonly LinkSysctl[];
}

/** @throws {OrlopError} bad_value, unknown_field */
export function endpointOptionsOf({ DriverOpts }: Pick<EndpointSettings, "DriverOpts">): EndpointOptions {
  const other = Object.keys(DriverOpts).find((name) => name !== IFNAME && name !== SYSCTLS);
  if (other !== undefined) throw OrlopError.of("unknown_field", { field: `the endpoint option ${other}` });
  const linkName = DriverOpts[IFNAME];
  // dev_valid_name() of the kernel, and loopback is there already.
  if (linkName !== undefined && (!/^[!-.0-9;-~]{1,15}$/.test(linkName) || [".", "..", "lo"].includes(linkName)))
    throw refuse(IFNAME, linkName, "a link's name: at most 15 characters, no blank, / or :");
  const written = DriverOpts[SYSCTLS] ?? "";
  return { linkName, sysctls: written === "" ? [] : written.split(",").map(parseSysctl) };
}

/** "net.ipv4.conf.IFNAME.log_martians=1": IFNAME stands for the link, whatever its name will be. */
function parseSysctl(written: string): LinkSysctl {
  const match = /^net\.([a-z0-9_]+)\.([a-z0-9_]+)\.IFNAME\.([a-z0-9_]+)=([ -~]*)$/.exec(written);
  if (match === null) throw refuse(SYSCTLS, written, "net.X.Y.IFNAME.Z=VALUE, several with commas between them");
  const [, family = "", group = "", key = "", value = ""] = match;
  return { family, group, key, value };
}

function refuse(option: string, value: string, expected: string): OrlopError {
  return OrlopError.of("bad_value", { what: `endpoint option ${option}`, value, expected });
}

const linkLocal4 = parseSubnet("169.254.0.0/16") as Subnet;
const linkLocal6 = parseSubnet("fe80::/10") as Subnet;

/** Addresses that a container has beside its network's own; with the prefixes that Docker gives them. @throws {OrlopError} bad_value */
export function linkLocalsOf({ LinkLocalIPs = [] }: EndpointSettings["IPAMConfig"]): Subnet[] {
  return LinkLocalIPs.map((written) => {
    const address = parseAddress(written);
    if (address === undefined || !isLinkLocal(address))
      throw OrlopError.of("bad_value", {
        what: "link local IP address",
        value: written,
        expected: "one of 169.254.0.0/16 or fe80::/10",
      });
    return { address, prefix: address.version === 4 ? 16 : 64 };
  });
}

function isLinkLocal(address: IpAddress): boolean {
  return contains(address.version === 4 ? linkLocal4 : linkLocal6, address);
}

/**
 * The names of links that a container gets, in their order; one without a name of its own is eth and the next number that is free.
 *
 * @param taken of links that it has. @throws {OrlopError} link_name_taken
 */
export function nameLinks(
  wishes: readonly (string | undefined)[],
  taken: readonly string[] = [],
  firstNumber = 0,
): string[] {
  const used = new Set(taken);
  for (const wish of wishes) {
    if (wish === undefined) continue;
    if (used.has(wish)) throw OrlopError.of("link_name_taken", { name: wish });
    used.add(wish);
  }
  let number = firstNumber;
  return wishes.map((wish) => {
    if (wish !== undefined) return wish;
    while (used.has(`eth${number}`)) number++;
    return `eth${number++}`;
  });
}
