/** netd's requests as bytes (native/README.md, "netd"). Each begins with a number, which the answer repeats. */

import { encodeFrame, frameKind } from "./frame.ts";
import type { HeldPorts, HostChange, Resolver, ScopedNames } from "./netd.ts";

export type NetdRequestKind = "SYNC" | "SYNC_END" | "HOLD" | "RESOLVER" | "NAMES" | "WATCH_RULES" | "STATE";

/** HOLD's flag: what reaches the socket itself is relayed. */
const HOLD_RELAY = 1;
const protocolNumbers = { tcp: 6, udp: 17, sctp: 132 } as const;

export function encodeNetdRequest(
  kind: NetdRequestKind,
  request: number,
  payload: Uint8Array = new Uint8Array(0),
): Uint8Array {
  return encodeFrame(frameKind[kind], new PayloadWriter().u32(request).raw(payload).bytes());
}

/** The first 12 bytes of an IPv4-mapped IPv6 address. */
const mappedPrefix = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff);

/** HOLD's payload. */
export function encodeHold(owner: string, ports: readonly HeldPorts[]): Uint8Array {
  const writer = new PayloadWriter().text(owner).u32(ports.length);
  for (const { protocol, address, first, last, relay } of ports) {
    writer.u8(protocolNumbers[protocol]).u8(relay === undefined ? 0 : HOLD_RELAY);
    writer.address(address).u16(first).u16(last);
    writer.address(relay?.address ?? new Uint8Array(16)).u16(relay?.port ?? 0);
  }
  return writer.bytes();
}

const DNS_PORT = 53;
/** RESOLVER's flag. */
const RESOLVER_KEEPS_SINGLE = 1;

/** RESOLVER's payload. */
export function encodeResolver(owner: string, resolver: Resolver | undefined): Uint8Array {
  const { namespace = "", inode = 0n, port = 0, scopes = [], upstream = [] } = resolver ?? {};
  const writer = new PayloadWriter().text(owner).text(namespace).u64(inode).u16(port);
  writer.u8(resolver?.keepsSingleLabels === true ? RESOLVER_KEEPS_SINGLE : 0).list(scopes);
  writer.u32(upstream.length);
  for (const server of upstream) {
    writer
      .address(server.address)
      .u16(server.port ?? DNS_PORT)
      .u32(server.zone ?? 0);
  }
  return writer.bytes();
}

/** NAMES' payload. */
export function encodeNames(scope: string, owner: string, named: ScopedNames | undefined): Uint8Array {
  const { names = [], addresses = [], pointer = "", services = [] } = named ?? {};
  const writer = new PayloadWriter().text(scope).text(owner).text(pointer).list(names);
  writer.u32(addresses.length);
  for (const address of addresses) writer.address(address);
  writer.u32(services.length);
  for (const { name, port, target } of services) writer.text(name).u16(port).text(target);
  return writer.bytes();
}

/** WATCH_RULES' payload. */
export function encodeWatchRules(table: string | undefined): Uint8Array {
  return new PayloadWriter().text(table ?? "").bytes();
}

/** The meaning of CHANGED's bits. */
export function decodeChange(what: number): HostChange {
  const has = (bit: number): boolean => (what & bit) !== 0;
  return { ownRules: has(1), addresses: has(2), otherRules: has(4), ownElements: has(8) };
}

/** Appends values in the encoding of native/README.md, "Frames". */
class PayloadWriter {
  #bytes = new Uint8Array(256);
  #used = 0;

  u8(value: number): this {
    this.#bytes[this.#grow(1)] = value;
    return this;
  }

  u16(value: number): this {
    const at = this.#grow(2);
    new DataView(this.#bytes.buffer).setUint16(at, value, true);
    return this;
  }

  u32(value: number): this {
    const at = this.#grow(4);
    new DataView(this.#bytes.buffer).setUint32(at, value, true);
    return this;
  }

  u64(value: bigint): this {
    const at = this.#grow(8);
    new DataView(this.#bytes.buffer).setBigUint64(at, value, true);
    return this;
  }

  /** An `l`. */
  list(values: readonly string[]): this {
    this.u32(values.length);
    for (const value of values) this.text(value);
    return this;
  }

  /** An `s`. */
  text(value: string): this {
    const encoded = new TextEncoder().encode(value);
    return this.u32(encoded.length).raw(encoded).u8(0);
  }

  /** An `a`: 16 bytes, IPv4 as ::ffff:a.b.c.d. */
  address(bytes: Uint8Array): this {
    return bytes.length === 4 ? this.raw(mappedPrefix).raw(bytes) : this.raw(bytes);
  }

  raw(value: Uint8Array): this {
    const at = this.#grow(value.length);
    this.#bytes.set(value, at);
    return this;
  }

  bytes(): Uint8Array {
    return this.#bytes.slice(0, this.#used);
  }

  #grow(size: number): number {
    const at = this.#used;
    this.#used += size;
    if (this.#used > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.#used, this.#bytes.length * 2));
      larger.set(this.#bytes.subarray(0, at));
      this.#bytes = larger;
    }
    return at;
  }
}
