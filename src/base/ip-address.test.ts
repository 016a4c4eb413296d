import { describe, expect, test } from "bun:test";
import {
  addressBytes,
  addressFromBytes,
  contains,
  firstOf,
  formatAddress,
  formatSubnet,
  lastOf,
  overlaps,
  parseAddress,
  parseSubnet,
  type Subnet,
} from "./ip-address.ts";

const subnet = (text: string): Subnet => parseSubnet(text) ?? expect.unreachable(text);

describe("addresses", () => {
  test.each([
    ["10.0.0.1", "10.0.0.1"],
    ["255.255.255.255", "255.255.255.255"],
    ["::", "::"],
    ["::1", "::1"],
    ["fd00::", "fd00::"],
    ["FD00:0:0:1:0:0:0:2", "fd00:0:0:1::2"],
    ["1:0:0:2:3:0:0:4", "1::2:3:0:0:4"],
    ["1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"],
    ["2001:db8::a00:10", "2001:db8::a00:10"],
    ["::ffff:1.2.3.4", "::ffff:102:304"],
    ["10:0:0:0:0:0:0:0", "10::"],
  ])("%s is written %s", (text, canonical) => {
    const address = parseAddress(text) ?? expect.unreachable(text);
    expect(formatAddress(address)).toBe(canonical);
    expect(addressFromBytes(addressBytes(address))).toEqual(address);
  });

  test.each(["", "1.2.3", "1.2.3.256", "01.2.3.4", "fe80::1%eth0", "1::2::3", "a", "1.2.3.4/8"])(
    "%p is none",
    (text) => {
      expect(parseAddress(text)).toBeUndefined();
    },
  );
});

describe("subnets", () => {
  test.each(["10.0.0.0", "10.0.0.0/33", "::/129", "10.0.0.0/-1", "x/8", "10.0.0.0/8/8"])("%p is none", (text) => {
    expect(parseSubnet(text)).toBeUndefined();
  });

  test("have a first and a last address", () => {
    const one = subnet("10.1.2.3/20");
    expect([formatAddress(firstOf(one)), formatAddress(lastOf(one))]).toEqual(["10.1.0.0", "10.1.15.255"]);
    expect(formatAddress(lastOf(subnet("fd00::/64")))).toBe("fd00::ffff:ffff:ffff:ffff");
    expect(formatSubnet(one)).toBe("10.1.2.3/20");
  });

  test("overlap where one holds the other's beginning", () => {
    expect(overlaps(subnet("10.0.0.0/8"), subnet("10.5.0.0/16"))).toBe(true);
    expect(overlaps(subnet("10.5.0.0/16"), subnet("10.0.0.0/8"))).toBe(true);
    expect(overlaps(subnet("10.5.0.0/16"), subnet("10.6.0.0/16"))).toBe(false);
    expect(overlaps(subnet("0.0.0.0/0"), subnet("::/0"))).toBe(false);
    expect(contains(subnet("10.5.0.0/16"), parseAddress("10.5.255.255") ?? expect.unreachable())).toBe(true);
  });
});
