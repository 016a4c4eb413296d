/** A recording netd: keeps what it was told, and refuses what a test says. No process, no sockets. */

import type { HeldPorts, Netd, NetdState } from "./netd.ts";

export class FakeNetd implements Netd {
  /** Owner → its ports. */
  readonly ports = new Map<string, readonly HeldPorts[]>();
  /** Throw a PortRefused to refuse. */
  onHold: (owner: string, ports: readonly HeldPorts[]) => void = () => undefined;
  isSynced = false;

  async hold(owner: string, ports: readonly HeldPorts[]): Promise<void> {
    this.ports.delete(owner);
    this.onHold(owner, ports);
    if (ports.length > 0) this.ports.set(owner, ports);
  }

  async sync(): Promise<void> {
    this.isSynced = true;
  }

  async state(): Promise<NetdState> {
    const held = [...this.ports.values()].flat().reduce((sum, { first, last }) => sum + last - first + 1, 0);
    return { owners: this.ports.size, ports: held, relays: 0 };
  }

  [Symbol.dispose](): void {
    this.isSynced = false;
  }
}
