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

/** What is held at the moment. */
export interface NetdState {
  readonly owners: number;
  readonly ports: number;
  /** Connections and udp peers that are being relayed. */
  readonly relays: number;
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
