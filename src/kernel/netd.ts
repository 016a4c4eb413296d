/**
 * What netd offers: the process that holds published ports and answers names while the engine may be dead. It knows only what it
 * was told; a `Netd` tells it everything again when either of the two was started anew. `netd-link.ts` is the real one,
 * `netd-fake.ts` records for tests.
 */

/** Consecutive ports of one host address. */
export interface HeldPorts {
  readonly protocol: "tcp" | "udp" | "sctp";
  /** 4 or 16 bytes in network order. Zeros are all addresses of that version; a socket holds IPv4 or IPv6, never both. */
  readonly address: Uint8Array;
  readonly first: number;
  readonly last: number;
  /**
   * Where what reaches the socket itself goes, that is what no rule forwards: from ::1, or while somebody has flushed the
   * rules. `port` belongs to `first`. Without it, tcp is refused and udp dropped. Not for sctp.
   */
  readonly relay?: { readonly address: Uint8Array; readonly port: number };
}

/** A server at 127.0.0.11, UDP and TCP, inside a network namespace. */
export interface Resolver {
  /** A path of the namespace: what it is mounted on, or /proc/PID/ns/net. */
  readonly namespace: string;
  /** Its inode, where the path may come to mean another one: then it is refused (ESTALE). */
  readonly inode?: bigint;
  /** Of both protocols; 0: any that is free. Rules lead port 53 there, so that a container may have a server of its own. */
  readonly port: number;
  /** Whose names it answers; the first that has a name answers it. */
  readonly scopes: readonly string[];
  /** Asked for everything else, from the host's namespace, one after the other, at most 8. None: SERVFAIL. */
  readonly upstream: readonly Upstream[];
  /** Names without a dot are not asked upstream: the user has set ndots. */
  readonly keepsSingleLabels?: boolean;
}

export interface Upstream {
  readonly address: Uint8Array;
  /** 53 unless told otherwise. */
  readonly port?: number;
  /** Number of the host's link, for a link-local address. */
  readonly zone?: number;
}

/** What somebody is called within a scope. Names are in lower case, whole (`web`, `web.frontend`), without a last dot. */
export interface ScopedNames {
  readonly names: readonly string[];
  /** A and AAAA of each name: 4 or 16 bytes. */
  readonly addresses: readonly Uint8Array[];
  /** What each address is called (PTR). */
  readonly pointer: string;
  /** SRV records, e.g. `_http._tcp.web`. */
  readonly services?: readonly { readonly name: string; readonly port: number; readonly target: string }[];
}

/** What netd saw on the host. Told once for a burst of changes, and to the next engine when none lived. */
export interface HostChange {
  /** A table, chain, rule or set of ours was taken away. Our own installation of rules looks the same. */
  readonly ownRules: boolean;
  /** Elements of our sets were taken out by somebody else. */
  readonly ownElements: boolean;
  /** Chains of others came, went, or have another policy. */
  readonly otherRules: boolean;
  /** Addresses or routes, ours included. */
  readonly addresses: boolean;
}

/** What is held at the moment. */
export interface NetdState {
  readonly owners: number;
  readonly ports: number;
  /** Connections and udp peers that are being relayed. */
  readonly relays: number;
  readonly resolvers: number;
  /** Owners of names, counted once for each scope. */
  readonly named: number;
}

export interface Netd extends Disposable {
  /**
   * Holds exactly these ports for this owner; none lets the owner go. When one is refused the owner holds nothing.
   *
   * @throws {PortRefused}
   * @throws {OrlopError} executor_lost
   */
  hold(owner: string, ports: readonly HeldPorts[]): Promise<void>;

  /**
   * Answers in this owner's namespace, in place of what was said before; undefined ends it. A namespace lives at least as long.
   *
   * @returns the port, which stays the same when netd is started anew
   * @throws {OrlopError} resolver_refused, executor_lost
   */
  resolve(owner: string, resolver: Resolver | undefined): Promise<number>;

  /**
   * What this owner is called within the scope, in place of what was said before; undefined takes it away.
   *
   * @throws {OrlopError} resolver_refused, executor_lost
   */
  name(scope: string, owner: string, names: ScopedNames | undefined): Promise<void>;

  /**
   * Watches the host's rules and addresses for `onChange`; an engine is started for changes of rules when there is none.
   *
   * @param table ours; undefined: no more
   */
  watchRules(table: string | undefined): Promise<void>;

  /** Called for each change that netd tells. */
  onChange: (change: HostChange) => void;

  /**
   * To be called once, when everything that this engine knows of has been asked for: what an earlier engine held besides is let
   * go. Nothing is sent before. No netd is started for nothing.
   */
  sync(): Promise<void>;

  /** What netd holds; zeros when none runs. */
  state(): Promise<NetdState>;
}

/** Who has a port: a container or network of ours, or a process. */
export interface PortHolder {
  /** As given to `hold`. */
  readonly owner?: string;
  readonly pid?: number;
  /** The process's name (/proc/PID/comm). */
  readonly command?: string;
}

/** The kernel refused a port. */
export class PortRefused extends Error {
  override readonly name = "PortRefused";
  readonly ports: HeldPorts;
  /** The one of them. */
  readonly port: number;
  /** EADDRINUSE: somebody has it; EADDRNOTAVAIL: no such address here; others as bind(2) has them. */
  readonly errno: string;
  /** undefined when that cannot be found out, e.g. for another network namespace's socket. */
  readonly holder: PortHolder | undefined;

  constructor(ports: HeldPorts, port: number, errno: string, holder: PortHolder | undefined) {
    super(`${ports.protocol} port ${port}: ${errno}`);
    this.ports = ports;
    this.port = port;
    this.errno = errno;
    this.holder = holder;
  }
}
