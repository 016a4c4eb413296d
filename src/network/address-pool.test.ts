import { describe, expect, test } from "bun:test";
import {
  formatAddress,
  formatSubnet,
  type IpAddress,
  parseAddress,
  parseSubnet,
  type Subnet,
} from "../base/ip-address.ts";
import { AddressPool } from "./address-pool.ts";
import { formatMac, macOf, parseMac } from "./mac-address.ts";
import { chooseSubnet4, chooseSubnet6 } from "./subnets.ts";

const subnet = (text: string): Subnet => parseSubnet(text) ?? expect.unreachable(text);
const address = (text: string): IpAddress => parseAddress(text) ?? expect.unreachable(text);

function poolOf(text: string, reserved: readonly string[] = [], range = text): AddressPool {
  return new AddressPool({ subnet: subnet(text), range: subnet(range), reserved: reserved.map(address) });
}

const takeAll = (pool: AddressPool): string[] => {
  const taken: string[] = [];
  for (let one = pool.take(); one !== undefined && taken.length < 20; one = pool.take()) taken.push(formatAddress(one));
  return taken;
};

describe("a pool of addresses", () => {
  test("gives the lowest free one, and neither the network's, everybody's nor what is reserved", () => {
    expect(takeAll(poolOf("10.0.0.0/29", ["10.0.0.1", "10.0.0.4"]))).toEqual([
      "10.0.0.2",
      "10.0.0.3",
      "10.0.0.5",
      "10.0.0.6",
    ]);
  });

  test("gives from its range alone", () => {
    expect(takeAll(poolOf("10.0.0.0/24", [], "10.0.0.8/30"))).toEqual([
      "10.0.0.8",
      "10.0.0.9",
      "10.0.0.10",
      "10.0.0.11",
    ]);
  });

  test("gives both addresses of a /31", () => {
    expect(takeAll(poolOf("10.0.0.0/31"))).toEqual(["10.0.0.0", "10.0.0.1"]);
  });

  test("gives one again that was released", () => {
    const pool = poolOf("10.0.0.0/29");
    takeAll(pool);
    pool.release(address("10.0.0.3"));
    expect(takeAll(pool)).toEqual(["10.0.0.3"]);
  });

  test("lets one be claimed once", () => {
    const pool = poolOf("fd00::/64");
    expect([pool.claim(address("fd00::1")), pool.claim(address("fd00::1"))]).toEqual([true, false]);
    expect(pool.take()).toEqual(address("fd00::2"));
  });

  test("offers what can be somebody's", () => {
    const pool = poolOf("10.0.0.0/24");
    expect(["10.0.0.0", "10.0.0.1", "10.0.0.255", "10.0.1.1"].map((one) => pool.offers(address(one)))).toEqual([
      false,
      true,
      false,
      false,
    ]);
  });
});

describe("a subnet that nobody chose", () => {
  test("is the first that no route leads to", () => {
    const written = (...taken: string[]) => formatSubnet(chooseSubnet4(taken.map(subnet)) ?? expect.unreachable());
    expect(written()).toBe("10.213.0.0/20");
    expect(written("0.0.0.0/0", "10.213.0.0/20", "10.213.17.0/24")).toBe("10.213.32.0/20");
    expect(written("10.0.0.0/8")).toBe("172.24.0.0/20");
    expect(written("10.0.0.0/8", "172.16.0.0/12", "192.168.1.0/24")).toBe("192.168.16.0/20");
  });

  test("may not exist", () => {
    expect(chooseSubnet4(["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"].map(subnet))).toBeUndefined();
  });

  test("is this machine's own /64 for IPv6", () => {
    const first = chooseSubnet6("a", []) ?? expect.unreachable();
    expect(formatSubnet(first)).toMatch(/^fd[0-9a-f]{2}:[0-9a-f]{1,4}:[0-9a-f]{1,4}::\/64$/);
    expect(chooseSubnet6("a", [])).toEqual(first);
    expect(chooseSubnet6("b", [])).not.toEqual(first);
    const second = chooseSubnet6("a", [first]) ?? expect.unreachable();
    expect(second.address.value - first.address.value).toBe(1n << 64n);
  });
});

test("hardware addresses are of one interface, and follow the IPv4 address", () => {
  expect(formatMac(macOf(address("10.213.0.2")))).toBe("02:42:0a:d5:00:02");
  expect(parseMac("02:42:0A:d5:00:02")).toEqual(macOf(address("10.213.0.2")));
  for (const text of ["", "02:42", "01:00:00:00:00:00", "00:00:00:00:00:00", "02:42:0a:d5:00:0g"])
    expect(parseMac(text)).toBeUndefined();
});
