/** Registers containers' names with netd, which answers DNS queries even while no engine runs. */

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
  /** "" if the request names none. */
  readonly hostname: string;
  /** The path of its network namespace. */
  readonly namespace: string;
  readonly sandbox: SandboxRecord;
  /** Its endpoints in networks with a name server: all but the default network. */
  readonly named: readonly EndpointRecord[];
  /** "80/tcp" … */
  readonly exposed: readonly string[];
  /** Upstream servers, for all other names. */
  readonly servers: readonly string[];
  /** The request sets the `ndots` option: then, as in Docker, names without a dot are not forwarded upstream. */
  readonly setsDots: boolean;
}

export class NameService {
  readonly #netd: Netd;
  readonly #executor: Executor;

  constructor(netd: Netd, executor: Executor) {
    this.#netd = netd;
    this.#executor = executor;
  }

  /** Starts or updates the name server in the container's namespace. @returns its port, to be passed in on updates */
  async serve(container: NamedContainer): Promise<number> {
    const { id, sandbox, namespace } = container;
    const known = sandbox.resolverPort ?? 0;
    const port = await this.#startServer(container, known);
    if (known === 0) await this.#executor.run([...enterSandbox(namespace, sandbox), planResolverRedirect(port)]);
    await this.registerNames(id, container);
    return port;
  }

  /** Registers a running container again, in the background; netd keeps what it knows already. */
  adopt(container: NamedContainer): void {
    if (container.sandbox.resolverPort === undefined) return;
    const done = [
      this.#startServer(container, container.sandbox.resolverPort),
      this.registerNames(container.id, container),
    ];
    for (const one of done)
      one.catch((error: unknown) => log("error", `names of ${container.name} are not served`, error));
  }

  #startServer({ id, sandbox, namespace, named, servers, setsDots }: NamedContainer, port: number): Promise<number> {
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

  /** Registers the container's names in each of its networks. */
  async registerNames(
    id: string,
    { name, hostname, named, exposed }: Pick<NamedContainer, "name" | "hostname" | "named" | "exposed">,
  ): Promise<void> {
    for (const endpoint of named) {
      const own = [name, ...endpoint.aliases, id.slice(0, 12), ...(hostname === "" ? [] : [hostname])];
      const services = exposed.map((port) => serviceOf(port, name));
      await this.#netd.name(endpoint.networkId, id, { ...namesOf(own, name, endpoint), services });
    }
  }

  /** Registers the names of a `--link`, for this container alone. @param aliases the linked container's own name is last */
  async registerLink(id: string, other: string, aliases: readonly string[], endpoint: EndpointRecord): Promise<void> {
    await this.#netd.name(linkScopeOf(id), other, namesOf(aliases, aliases.at(-1) ?? "", endpoint));
  }

  /** Withdraws the names of a link. */
  async forgetLink(id: string, other: string): Promise<void> {
    await this.#netd.name(linkScopeOf(id), other, undefined);
  }

  /** Must be called before the namespace is removed. */
  async withdraw(id: string, { endpoints, resolverPort }: SandboxRecord, links: readonly string[]): Promise<void> {
    for (const { networkId } of endpoints) await this.#netd.name(networkId, id, undefined);
    if (resolverPort === undefined) return;
    for (const other of links) await this.forgetLink(id, other);
    await this.#netd.resolve(id, undefined);
  }

  /** The container has left a network. */
  async leave(id: string, networkId: string): Promise<void> {
    await this.#netd.name(networkId, id, undefined);
  }
}

function linkScopeOf(id: string): string {
  return `links ${id}`;
}

/** The SRV record of an exposed port: `_80._tcp.web` is port 80 of web. */
function serviceOf(exposed: string, name: string): { name: string; port: number; target: string } {
  const [port = "", protocol = ""] = exposed.split("/");
  const target = name.toLowerCase();
  return { name: `_${port}._${protocol}.${target}`, port: Number(port), target };
}

/** Names as netd wants them: in lower case, each also with the network's name as its domain. */
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
