import { describe, expect, test } from "bun:test";
import type { Chain } from "../kernel/netlink/nft-chains.ts";
import { linkNamesOf } from "./link-names.ts";
import { changeOf, describeObstacle, obstaclesIn, passagesOf, tagOf } from "./other-firewalls.ts";

const names = linkNamesOf("/run/orlop");

const chain = (family: Chain["family"], table: string, name: string, more: Partial<Chain> = {}): Chain => ({
  family,
  table,
  name,
  hook: undefined,
  drops: false,
  ...more,
});
const dropping = { hook: "forward", drops: true } as const;

describe("an obstacle is", () => {
  test.each([
    ["Docker's", [chain("ip", "filter", "FORWARD", dropping), chain("ip", "filter", "DOCKER-USER")], "DOCKER-USER"],
    [
      "ufw's",
      [chain("ip6", "filter", "FORWARD", dropping), chain("ip6", "filter", "ufw6-user-forward")],
      "ufw6-user-forward",
    ],
    ["an administrator's", [chain("inet", "filter", "forward", dropping)], undefined],
    [
      "one whose place is in another family",
      [chain("ip6", "filter", "FORWARD", dropping), chain("ip", "filter", "DOCKER-USER")],
      undefined,
    ],
  ])("%s", (_whose, chains, place) => {
    const [found, ...more] = obstaclesIn(chains, names.table);
    expect(more).toEqual([]);
    expect(found?.place?.chain).toBe(place as string);
  });

  test.each([
    ["our own table", chain("inet", "orlop", "forward", dropping)],
    ["a chain that accepts", chain("ip", "filter", "FORWARD", { hook: "forward" })],
    ["one that drops what is meant for the host", chain("ip", "filter", "INPUT", { hook: "input", drops: true })],
  ])("not %s", (_what, one) => {
    expect(obstaclesIn([one], names.table)).toEqual([]);
  });
});

test("passages lead into our bridges, and from them out of the host; never to bridges of others", () => {
  const passages = passagesOf({ names, bridges: ["orlop0", "ol-0123456789ab", "br-mine"], uplinks: ["eth0"] });
  expect(passages).toEqual([
    { to: { name: "ol-", isPrefix: true } },
    { to: { name: "orlop0", isPrefix: false } },
    { to: { name: "br-mine", isPrefix: false } },
    { from: { name: "ol-", isPrefix: true }, to: { name: "eth0", isPrefix: false } },
    { from: { name: "orlop0", isPrefix: false }, to: { name: "eth0", isPrefix: false } },
    { from: { name: "br-mine", isPrefix: false }, to: { name: "eth0", isPrefix: false } },
  ]);
});

describe("a chain is changed", () => {
  const place = { family: "ip", table: "filter", name: "DOCKER-USER" } as const;
  const passages = passagesOf({ names, bridges: [], uplinks: ["eth0"] });
  const handle = new Uint8Array(8);
  const ours = passages.map(() => ({ handle, comment: tagOf(names, passages) }));
  const others = [
    { handle, comment: "" },
    { handle, comment: "orlop_12ab forwards what its own rules allow (1)" },
  ];

  test.each([
    ["when ours are missing", others, passages, true],
    ["when one of ours is", ours.slice(1), passages, true],
    ["not when they are all there", [...others, ...ours], passages, false],
    ["when they are of another version", ours, passagesOf({ names, bridges: [], uplinks: ["eth1"] }), true],
    ["when they are not wanted any more", ours, [], true],
    ["not when there is nothing of ours and nothing wanted", others, [], false],
  ])("%s", (_when, rules, wanted, isChanged) => {
    expect(changeOf(place, rules, names, wanted) !== undefined).toBe(isChanged);
  });
});

test("people are told which chain it is, and what was done", () => {
  const docker = { family: "ip", table: "filter", chain: "FORWARD" } as const;
  expect(describeObstacle({ ...docker, place: { chain: "DOCKER-USER", tool: "Docker" } })).toBe(
    "the chain FORWARD of the nftables table ip filter drops what is forwarded; a passage for Orlop's networks is in DOCKER-USER (Docker)",
  );
  expect(describeObstacle({ ...docker, place: undefined })).toContain("containers are cut off");
});
