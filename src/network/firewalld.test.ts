import { describe, expect, test } from "bun:test";
import type { Chain } from "../kernel/netlink/nft-chains.ts";
import { boundBy, describeBindings, describeUnbound, hasFirewalld, unboundOf, zoneAmong } from "./firewalld.ts";

const chain = (table: string, name: string): Chain => ({ family: "inet", table, name, hook: undefined, drops: false });

test.each([
  ["in its own table", [chain("filter", "FORWARD"), chain("firewalld", "filter_FORWARD")], true],
  ["with the backend iptables in the usual one", [chain("filter", "FORWARD"), chain("filter", "FORWARD_ZONES")], true],
  ["nowhere, beside Docker and ufw", [chain("filter", "DOCKER-USER"), chain("filter", "ufw-user-forward")], false],
])("its rules are seen: %s", (_where, chains, isThere) => {
  expect(hasFirewalld(chains)).toBe(isThere);
});

test("the administrator's own zone is preferred", () => {
  expect(zoneAmong(["home", "trusted"])).toBe("trusted");
  expect(zoneAmong(["home", "orlop", "trusted"])).toBe("orlop");
});

describe("of bridges", () => {
  const bindings = [
    { bridge: "orlop0", configured: "", zone: "" },
    { bridge: "ol-1", configured: "", zone: "trusted" },
    { bridge: "ol-2", configured: "trusted", zone: "trusted" },
    { bridge: "ol-3", configured: "", zone: "home" },
    { bridge: "ol-4", configured: "work", zone: "" },
  ];

  test("those are bound that nobody has put anywhere", () => {
    expect(unboundOf(bindings)).toEqual(["orlop0"]);
  });

  test("those are let go that are where ours are, and not by the administrator", () => {
    expect(boundBy("trusted", bindings)).toEqual(["ol-1"]);
  });

  test("people are told which are whose", () => {
    expect(describeBindings("trusted", bindings)).toBe(
      "firewalld forwards what a link's zone allows: Orlop has bound orlop0, ol-1 to the zone trusted; ol-2 is in the zone trusted, as somebody else wants it; ol-3 is in the zone home, as somebody else wants it; ol-4 is in the zone work, as somebody else wants it",
    );
  });

  test("and what to do where none are bound", () => {
    expect(describeUnbound("REASON", ["orlop0", "ol-1"])).toEndWith(
      "(REASON): containers are cut off until somebody runs: firewall-cmd --permanent --zone=trusted --add-interface=orlop0 --add-interface=ol-1, then firewall-cmd --reload",
    );
  });
});
