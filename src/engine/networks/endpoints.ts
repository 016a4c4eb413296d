/** A container's endpoints: addresses in a network, and the link in the container's namespace that has them. */

import { OrlopError } from "../../base/errors.ts";
import { newContainerId } from "../../base/id.ts";
import { formatAddress, parseAddress } from "../../base/ip-address.ts";
import { StepFailure } from "../../kernel/executor.ts";
import type { Step } from "../../kernel/step.ts";
import { type LinkNames, portNameOf } from "../../network/link-names.ts";
import { formatMac, macOf, parseMac } from "../../network/mac-address.ts";
import { type EndpointLink, planGateways } from "../../network/plan-sandbox.ts";
import { endpointOptionsOf, linkLocalsOf } from "./endpoint-options.ts";
import type { HostNetwork } from "./host-network.ts";
import { enterSandbox } from "./namespace-holder.ts";
import { type Network, writtenAddress } from "./network.ts";
import { parsed } from "./network-create.ts";
import { type ParentOptions, parentOptionsOf } from "./network-options.ts";
import { type EndpointRecord, leadingEndpoint, type SandboxRecord } from "./sandbox-record.ts";
import type { EndpointWish } from "./sandbox-wish.ts";

export interface EndpointsParts {
  readonly host: HostNetwork;
  readonly names: LinkNames;
  /** undefined for a network that has been removed. */
  networkOf(id: string): Network | undefined;
}

/** An endpoint, and the link to be made for it. */
export interface MadeEndpoint {
  readonly endpoint: EndpointRecord;
  readonly link: EndpointLink;
}

export class Endpoints {
  readonly #parts: EndpointsParts;

  constructor(parts: EndpointsParts) {
    this.#parts = parts;
  }

  /** Plans the sandbox's next endpoint. When this resolves, its addresses are reserved; the link is not made yet. */
  async make(sandbox: SandboxRecord, wish: EndpointWish, linkName: string): Promise<MadeEndpoint> {
    const plug = await this.#plugOf(wish.network, this.#portNameOf(sandbox));
    return makeEndpoint(sandbox, wish, linkName, plug);
  }

  /** As `make`, without making anything on the host. The caller has to release the addresses. */
  foresee(sandbox: SandboxRecord, wish: EndpointWish, linkName: string): MadeEndpoint {
    return makeEndpoint(sandbox, wish, linkName, foreseenPlug(wish.network, this.#portNameOf(sandbox)));
  }

  releaseAddresses({ networkId, addresses }: EndpointRecord): void {
    this.#parts.networkOf(networkId)?.releaseAddresses(addresses.map(parsed));
  }

  #portNameOf({ id, nextNumber }: SandboxRecord): string {
    return portNameOf(this.#parts.names, id, nextNumber);
  }

  async #plugOf(network: Network, portName: string): Promise<EndpointLink["plug"]> {
    const { host } = this.#parts;
    if (network.record.driver === "bridge")
      return {
        kind: "bridge",
        portName,
        bridgeIndex: await host.bridgeIndex(network),
        isolated: !network.bridge.isOpen,
      };
    const options = optionsOf(network);
    const link = (await host.survey()).links.find(({ name }) => name === options.parent);
    if (link === undefined) throw OrlopError.of("no_such_link", { name: options.parent });
    return { ...options, parentIndex: link.index };
  }
}

function makeEndpoint(
  sandbox: SandboxRecord,
  { network, settings }: EndpointWish,
  linkName: string,
  plug: EndpointLink["plug"],
): MadeEndpoint {
  const number = sandbox.nextNumber;
  const { sysctls } = endpointOptionsOf(settings);
  const linkLocals = linkLocalsOf(settings.IPAMConfig);
  const taken = network.takeAddresses(settings.IPAMConfig);
  const addresses = taken.map(({ address }) => address);
  const [first] = addresses;
  const mac =
    parseMac(settings.MacAddress) ??
    (first === undefined ? macOf({ version: 6, value: BigInt(`0x${sandbox.id}`) }) : macOf(first.address));
  const gateways = taken.flatMap(({ gateway }) => (gateway === undefined || network.record.internal ? [] : [gateway]));
  return {
    endpoint: {
      networkId: network.id,
      networkName: network.name,
      id: newContainerId(),
      number,
      linkName,
      mac: plug.kind === "ipvlan" ? "" : formatMac(mac), // an ipvlan link has its parent's address
      addresses: addresses.map(writtenAddress),
      gateways: gateways.map(formatAddress),
      priority: settings.GwPriority,
      portName: plug.kind === "bridge" ? plug.portName : "",
      aliases: settings.Aliases,
    },
    link: {
      number,
      name: linkName,
      mac,
      addresses: [...addresses, ...linkLocals],
      sysctls,
      mtu: mtuOf(network),
      plug,
    },
  };
}

/** For `explain`: interface indexes are unknown, and not shown. */
function foreseenPlug(network: Network, portName: string): EndpointLink["plug"] {
  if (network.record.driver === "bridge")
    return { kind: "bridge", portName, bridgeIndex: 0, isolated: !network.bridge.isOpen };
  return { ...optionsOf(network), parentIndex: 0 };
}

function mtuOf(network: Network): number {
  return network.record.driver === "bridge" ? network.bridge.mtu : optionsOf(network).mtu;
}

function optionsOf({ record }: Network): ParentOptions {
  return parentOptionsOf(record.driver === "ipvlan" ? "ipvlan" : "macvlan", record.options);
}

/** Steps that set the default routes, through the endpoints with the highest priority. */
export function planLeading(path: string, record: SandboxRecord): Step[] {
  const gateways = ([4, 6] as const).flatMap((version) => {
    const endpoint = leadingEndpoint(record, version);
    const address = endpoint?.gateways.map(parseAddress).find((one) => one?.version === version);
    return endpoint === undefined || address === undefined ? [] : [{ address, number: endpoint.number }];
  });
  return [...enterSandbox(path, record), ...planGateways(gateways)];
}

/** The error for a setting of an endpoint that the kernel refused. */
export function explainRefusal(error: unknown, wishes: readonly EndpointWish[]): unknown {
  if (!(error instanceof StepFailure)) return error;
  const isOnParent = wishes.some(({ network }) => network.record.driver === "ipvlan");
  if (error.step?.op === "netlink" && error.errno === "EOPNOTSUPP" && isOnParent)
    return OrlopError.of("no_such_link_kind", { kind: "ipvlan" }, error);
  if (error.step?.op !== "write") return error;
  const { path, data } = error.step;
  const setting = `sysctl ${path.replace("/proc/sys/", "").replaceAll("/", ".")}=${new TextDecoder().decode(data)}`;
  return OrlopError.of("setting_refused", { setting, reason: error.errno, started: "container" }, error);
}
