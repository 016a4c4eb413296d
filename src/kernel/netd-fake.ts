/** A recording netd for tests: keeps what it was told, and refuses what the test says. No process, no sockets. */

import type { HeldPorts, HostChange, Netd, NetdState, Resolver, ScopedNames } from "./netd.ts";

export class FakeNetd implements Netd {
  /** Owner → its ports. */
  readonly ports = new Map<string, readonly HeldPorts[]>();
  readonly resolvers = new Map<string, Resolver>();
  /** "SCOPE OWNER" → its names there. */
  readonly names = new Map<string, ScopedNames>();
  /** Throw a PortRefused to refuse. */
  onHold: (owner: string, ports: readonly HeldPorts[]) => void = () => undefined;
  isSynced = false;
  /** The table that is watched. */
  watched: string | undefined;
  onChange: (change: HostChange) => void = () => undefined;

  async hold(owner: string, ports: readonly HeldPorts[]): Promise<void> {
    this.ports.delete(owner);
    this.onHold(owner, ports);
    if (ports.length > 0) this.ports.set(owner, ports);
  }

  async resolve(owner: string, resolver: Resolver | undefined): Promise<number> {
    this.resolvers.delete(owner);
    if (resolver === undefined) return 0;
    this.resolvers.set(owner, resolver);
    return resolver.port || 40_000 + this.resolvers.size;
  }

  async name(scope: string, owner: string, names: ScopedNames | undefined): Promise<void> {
    this.names.delete(`${scope} ${owner}`);
    if (names !== undefined) this.names.set(`${scope} ${owner}`, names);
  }

  async watchRules(table: string | undefined): Promise<void> {
    this.watched = table;
  }

  async sync(): Promise<void> {
    this.isSynced = true;
  }

  async state(): Promise<NetdState> {
    const held = [...this.ports.values()].flat().reduce((sum, { first, last }) => sum + last - first + 1, 0);
    const [resolvers, named] = [this.resolvers.size, this.names.size];
    return { owners: this.ports.size, ports: held, relays: 0, resolvers, named };
  }

  [Symbol.dispose](): void {
    this.isSynced = false;
  }
}
