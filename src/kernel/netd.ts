/**
 * What netd offers: the process that holds published ports and answers DNS questions, also while no engine runs. It knows only what it
 * was told; a `Netd` repeats everything when either of the two was restarted. `netd-link.ts` is the real one,
 * `netd-fake.ts` records for tests.
 */

/** Consecutive ports of one host address. */
export interface HeldPorts {
  readonly protocol: "tcp" | "udp" | "sctp";
  /** 4 or 16 bytes in network order. Zeros mean all addresses of that version; a socket holds IPv4 or IPv6, never both. */
  readonly address: Uint8Array;
  readonly first: number;
  readonly last: number;
  /**
   * The target to which netd relays what reaches the socket itself because no rule forwards it: from ::1, or after somebody has
   * flushed the rules. `port` is the target's for `first`. Without a target tcp is refused and udp dropped. Not for sctp.
   */
  readonly relay?: { readonly address: Uint8Array; readonly port: number };
}

/** A DNS server at 127.0.0.11, UDP and TCP, in a network namespace. */
export interface Resolver {
  /** The namespace's path: where it is mounted, or /proc/PID/ns/net. */
  readonly namespace: string;
  /** Its inode, for a path that may come to mean another namespace: then the request is refused (ESTALE). */
  readonly inode?: bigint;
  /** Of both protocols; 0: any free one. Rules redirect port 53 to it, so that a container may have a server of its own on port 53. */
  readonly port: number;
  /** Where it looks names up, in order; the first scope that has the name decides. */
  readonly scopes: readonly string[];
  /** Asked for everything else, from the host's namespace, one after the other, at most 8. None: SERVFAIL. */
  readonly upstream: readonly Upstream[];
  /** Names without a dot are not forwarded: the user has set ndots. */
  readonly keepsSingleLabels?: boolean;
}

export interface Upstream {
  readonly address: Uint8Array;
  /** 53 unless told otherwise. */
  readonly port?: number;
  /** Number of the host's link, for a link-local address. */
  readonly zone?: number;
}

/** The names of an owner within a scope. In lower case, complete (`web`, `web.frontend`), without a final dot. */
export interface ScopedNames {
  readonly names: readonly string[];
  /** A and AAAA of each name: 4 or 16 bytes. */
  readonly addresses: readonly Uint8Array[];
  /** The name that each address has (PTR). */
  readonly pointer: string;
  /** SRV records, e.g. `_http._tcp.web`. */
  readonly services?: readonly { readonly name: string; readonly port: number; readonly target: string }[];
}

/** Changes that netd noticed on the host. Reported once for a burst of changes, and to the next engine when none was running. */
export interface HostChange {
  /** A table, chain, rule or set of ours was removed. Our own installation of rules looks the same. */
  readonly ownRules: boolean;
  /** Elements of our sets were removed by somebody else. */
  readonly ownElements: boolean;
  /** Others' chains were added or removed, or got another policy. */
  readonly otherRules: boolean;
  /** Addresses or routes, ours included. */
  readonly addresses: boolean;
}

/** What netd holds at the moment. */
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
   * Sets this owner's resolver, in place of an earlier one; undefined removes it. The namespace has to exist at least as long.
   *
   * @returns the port, which stays the same when netd is restarted
   * @throws {OrlopError} resolver_refused, executor_lost
   */
  resolve(owner: string, resolver: Resolver | undefined): Promise<number>;

  /**
   * Sets this owner's names within the scope, in place of earlier ones; undefined removes them.
   *
   * @throws {OrlopError} resolver_refused, executor_lost
   */
  name(scope: string, owner: string, names: ScopedNames | undefined): Promise<void>;

  /**
   * Watches the host's rules and addresses for `onChange`; an engine is started for changes of rules when there is none.
   *
   * @param table our nftables table; undefined: stop watching
   */
  watchRules(table: string | undefined): Promise<void>;

  /** Called for each change that netd reports. */
  onChange: (change: HostChange) => void;

  /**
   * To be called once, after everything that this engine knows of has been requested: what else an earlier engine held is released.
   * Nothing is sent before that. When nothing is requested, no netd is started.
   */
  sync(): Promise<void>;

  /** What netd holds; zeros when none runs. */
  state(): Promise<NetdState>;
}

/** Who uses a port: a container or network of ours, or a process. */
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
  /** The port that was refused. */
  readonly port: number;
  /** EADDRINUSE: it is in use; EADDRNOTAVAIL: this machine has no such address; others as in bind(2). */
  readonly errno: string;
  /** undefined when it cannot be determined, e.g. for a socket of another network namespace. */
  readonly holder: PortHolder | undefined;

  constructor(ports: HeldPorts, port: number, errno: string, holder: PortHolder | undefined) {
    super(`${ports.protocol} port ${port}: ${errno}`);
    this.ports = ports;
    this.port = port;
    this.errno = errno;
    this.holder = holder;
  }
}
