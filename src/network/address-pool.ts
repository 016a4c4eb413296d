/** The addresses of one subnet: which are taken, and which is next. */

import { contains, firstOf, formatAddress, type IpAddress, lastOf, type Subnet, sizeOf } from "../base/ip-address.ts";

export interface PoolOptions {
  readonly subnet: Subnet;
  /** Where addresses are allocated from; by default the whole subnet. */
  readonly range: Subnet;
  /** The gateway's, and those that the user reserves. */
  readonly reserved: readonly IpAddress[];
}

export class AddressPool {
  readonly subnet: Subnet;
  readonly #range: Subnet;
  readonly #taken = new Set<bigint>();
  /** Everything below is taken; only a hint for where to begin. */
  #next: bigint;

  constructor({ subnet, range, reserved }: PoolOptions) {
    this.subnet = subnet;
    this.#range = range;
    this.#next = firstOf(range).value;
    for (const { value } of reserved) this.#taken.add(value);
  }

  /** Takes the lowest free address; undefined when none is left. */
  take(): IpAddress | undefined {
    const last = lastOf(this.#range).value;
    for (let value = this.#next; value <= last; value++) {
      if (this.#taken.has(value) || !this.#isUsable(value)) continue;
      this.#taken.add(value);
      this.#next = value + 1n;
      return { ...this.subnet.address, value };
    }
    return undefined;
  }

  /** Takes this address. @returns false when it is taken already */
  claim({ value }: IpAddress): boolean {
    if (this.#taken.has(value)) return false;
    this.#taken.add(value);
    return true;
  }

  /** Whether it can be assigned: in the subnet, and neither its network nor its broadcast address. */
  offers(address: IpAddress): boolean {
    return contains(this.subnet, address) && this.#isUsable(address.value);
  }

  release({ value }: IpAddress): void {
    if (this.#taken.delete(value) && value < this.#next && value >= firstOf(this.#range).value) this.#next = value;
  }

  get description(): string {
    return `${formatAddress(firstOf(this.#range))}/${this.#range.prefix}`;
  }

  /** In a subnet of one or two addresses all can be used (RFC 3021). IPv6's first address is the subnet-router anycast address. */
  #isUsable(value: bigint): boolean {
    if (sizeOf(this.subnet) <= 2n) return true;
    if (value === firstOf(this.subnet).value) return false;
    return this.subnet.address.version === 6 || value !== lastOf(this.subnet).value;
  }
}
