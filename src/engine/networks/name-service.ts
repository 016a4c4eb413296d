/** Names of containers in their networks: what netd is told, so that it answers while no engine lives. */

import { addressBytes, parseAddress } from "../../base/ip-address.ts";
import { log } from "../../base/log.ts";
import type { Executor } from "../../kernel/executor.ts";
import type { Netd, ScopedNames, Upstream } from "../../kernel/netd.ts";
import { planResolverRedirect } from "../../kernel/netlink/resolver-redirect.ts";
import { enterSandbox } from "./namespace-holder.ts";
import type { EndpointRecord, SandboxRecord } from "./sandbox-record.ts";

export interface NamedContainer {
  readonly id: string;
  readonly name: string;
  /** "" where none was asked for. */
  readonly hostname: string;
  /** Where its namespace is found. */
  readonly namespace: string;
  readonly sandbox: SandboxRecord;
  /** Networks whose containers have names: all but the default one. */
  readonly named: readonly EndpointRecord[];
  /** "80/tcp" … */
  readonly exposed: readonly string[];
  /** Servers that are asked for everything else. */
  readonly servers: readonly string[];
  /** The user's own words about dots; Docker then asks no other server for a name without one. */
  readonly setsDots: boolean;
}

export class NameService {
  readonly #netd: Netd;
  readonly #executor: Executor;

  constructor(netd: Netd, executor: Executor) {
    this.#netd = netd;
    this.#executor = executor;
  }

  /** Answers in the container's namespace. @returns the resolver's port, to be given again when something changes */
  async serve(container: NamedContainer): Promise<number> {
    const { id, sandbox, namespace } = container;
    const known = sandbox.resolverPort ?? 0;
    const port = await this.#tell(container, known);
    if (known === 0) await this.#executor.run([...enterSandbox(namespace, sandbox), planResolverRedirect(port)]);
    await this.tellNames(id, container);
    return port;
  }

  /** After an engine's death: what netd has been told already stays as it is. */
  adopt(container: NamedContainer): void {
    if (container.sandbox.resolverPort === undefined) return;
    const done = [this.#tell(container, container.sandbox.resolverPort), this.tellNames(container.id, container)];
    for (const one of done)
      one.catch((error: unknown) => log("error", `names of ${container.name} are not served`, error));
  }

  #tell({ id, sandbox, namespace, named, servers, setsDots }: NamedContainer, port: number): Promise<number> {
    const isCutOff = sandbox.endpoints.every(({ gateways }) => gateways.length === 0);
    return this.#netd.resolve(id, {
      namespace,
      ...(sandbox.holder === undefined ? {} : { inode: BigInt(sandbox.holder.inode) }),
      port,
      scopes: [linkScopeOf(id), ...named.map(({ networkId }) => networkId)],
      upstream: isCutOff ? [] : servers.flatMap(upstreamOf).slice(0, 8),
      keepsSingleLabels: setsDots,
    });
  }

  /** What the container is called in each of its networks. */
  async tellNames(
    id: string,
    { name, hostname, named, exposed }: Pick<NamedContainer, "name" | "hostname" | "named" | "exposed">,
  ): Promise<void> {
    for (const endpoint of named) {
      const own = [name, ...endpoint.aliases, id.slice(0, 12), ...(hostname === "" ? [] : [hostname])];
      const services = exposed.map((port) => serviceOf(port, name));
      await this.#netd.name(endpoint.networkId, id, { ...namesOf(own, name, endpoint), services });
    }
  }

  /** `--link`: other names for somebody, the own one last, which only this container knows. */
  async tellLink(id: string, other: string, aliases: readonly string[], endpoint: EndpointRecord): Promise<void> {
    await this.#netd.name(linkScopeOf(id), other, namesOf(aliases, aliases.at(-1) ?? "", endpoint));
  }

  /** It has no link to that one any more. */
  async forgetLink(id: string, other: string): Promise<void> {
    await this.#netd.name(linkScopeOf(id), other, undefined);
  }

  /** Before the namespace goes. */
  async withdraw(id: string, { endpoints, resolverPort }: SandboxRecord, links: readonly string[]): Promise<void> {
    for (const { networkId } of endpoints) await this.#netd.name(networkId, id, undefined);
    if (resolverPort === undefined) return;
    for (const other of links) await this.forgetLink(id, other);
    await this.#netd.resolve(id, undefined);
  }

  /** It has left this network. */
  async leave(id: string, networkId: string): Promise<void> {
    await this.#netd.name(networkId, id, undefined);
  }
}

function linkScopeOf(id: string): string {
  return `links ${id}`;
}

/** SRV of an exposed port: `_80._tcp.web` leads to port 80 of web. */
function serviceOf(exposed: string, name: string): { name: string; port: number; target: string } {
  const [port = "", protocol = ""] = exposed.split("/");
  const target = name.toLowerCase();
  return { name: `_${port}._${protocol}.${target}`, port: Number(port), target };
}

/** Names in netd's spelling: each also with the network's behind it. */
function namesOf(own: readonly string[], pointer: string, endpoint: EndpointRecord): ScopedNames {
  const spelled = own.map((name) => name.toLowerCase().replace(/\.$/, "")).filter((name) => name !== "");
  const network = endpoint.networkName.toLowerCase();
  return {
    names: [...new Set([...spelled, ...spelled.map((name) => `${name}.${network}`)])],
    addresses: endpoint.addresses.flatMap((written) => {
      const address = parseAddress(written.split("/")[0] ?? "");
      return address === undefined ? [] : [addressBytes(address)];
    }),
    pointer: `${pointer.toLowerCase()}.${network}`,
  };
}

function upstreamOf(server: string): Upstream[] {
  const address = parseAddress(server);
  return address === undefined ? [] : [{ address: addressBytes(address) }];
}
