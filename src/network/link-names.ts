/**
 * Names of an engine's links and nftables table in the host's network namespace. The engine of the default run directory uses plain
 * names; an engine with another one adds a mark to each, so that the two do not take each other's for their own.
 */

import { createHash } from "node:crypto";

export interface LinkNames {
  /** The nftables table (family inet). */
  readonly table: string;
  /** The bridge of the default network. */
  readonly defaultBridge: string;
  /** Prefix of other networks' bridges; the network's id follows. */
  readonly bridgePrefix: string;
  /** Prefix of the host's ends of containers' links; the sandbox's number and the endpoint's follow. */
  readonly portPrefix: string;
}

const USUAL_RUN_DIRECTORY = "/run/orlop";

/** An interface's name has at most 15 bytes. */
export function linkNamesOf(runDirectory: string): LinkNames {
  if (runDirectory === USUAL_RUN_DIRECTORY)
    return { table: "orlop", defaultBridge: "orlop0", bridgePrefix: "ol-", portPrefix: "olv" };
  const mark = createHash("sha256").update(runDirectory).digest("hex").slice(0, 4);
  return { table: `orlop_${mark}`, defaultBridge: `ol${mark}-0`, bridgePrefix: `ol${mark}-`, portPrefix: `olv${mark}` };
}

/** The bridge of a network whose options do not name one. */
export function bridgeNameOf({ bridgePrefix }: LinkNames, networkId: string): string {
  return bridgePrefix + networkId.slice(0, Math.min(12, 15 - bridgePrefix.length));
}

/** Whether this link is one that `bridgeNameOf` named. */
export function isBridgeName({ bridgePrefix }: LinkNames, linkName: string): boolean {
  return linkName.startsWith(bridgePrefix) && /^[0-9a-f]{8,12}$/.test(linkName.slice(bridgePrefix.length));
}

/** Eight digits: a collision on one machine is unlikely, and the engine checks. */
export function newSandboxId(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(4)))
    .toString("hex")
    .slice(0, 7);
}

/** The host's end of a sandbox's link: at most 36 links each. */
export function portNameOf({ portPrefix }: LinkNames, sandboxId: string, endpoint: number): string {
  return `${portPrefix}${sandboxId}${endpoint.toString(36)}`;
}

/** The sandbox whose link this is; undefined for links of others. */
export function sandboxOfPort({ portPrefix }: LinkNames, linkName: string): string | undefined {
  if (!linkName.startsWith(portPrefix)) return undefined;
  return /^([0-9a-f]{7})[0-9a-z]$/.exec(linkName.slice(portPrefix.length))?.[1];
}
