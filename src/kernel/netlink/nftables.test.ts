import { expect, test } from "bun:test";
import { addressBytes, type IpAddress, parseAddress } from "../../base/ip-address.ts";
import { encodeAdd, linkNameBytes, portBytes } from "./nftables.ts";

const hex = (bytes: Uint8Array): string => bytes.toHex().replace(/(.{8})(?=.)/g, "$1 ");
const address = (text: string): Uint8Array => addressBytes(parseAddress(text) as IpAddress);

test("an element of a map is sent as `nft add element inet orlop p4 { udp . 127.0.0.1 . 53 : 172.17.0.2 . 53 }` sends it", () => {
  const element = {
    key: [Uint8Array.of(17), address("127.0.0.1"), portBytes(53)],
    value: [address("172.17.0.2"), portBytes(53)],
  };
  expect(hex(encodeAdd("orlop", [{ set: "p4", elements: [element] }]))).toBe(
    [
      "14000000 10000500 01000000 00000000 0000000a", // NFNL_MSG_BATCH_BEGIN of nftables
      "54000000 0c0a0504 02000000 00000000 01000000", // NFT_MSG_NEWSETELEM with NLM_F_CREATE, NFPROTO_INET
      "0a000100 6f726c6f 70000000", // table "orlop"
      "07000200 70340000", // set "p4"
      "2c000380 28000180", // elements, the first
      "14000180 10000100 11000000 7f000001 00350000", // key
      "10000280 0c000100 ac110002 00350000", // value
      "14000000 11000500 03000000 00000000 0000000a", // NFNL_MSG_BATCH_END
    ].join(" "),
  );
});

test("an interval has its last element in a key of its own", () => {
  const element = {
    key: [address("10.0.0.0"), linkNameBytes("olbr1")],
    keyEnd: [address("10.0.255.255"), linkNameBytes("olbr1")],
  };
  const sent = hex(encodeAdd("orlop", [{ set: "own4", elements: [element] }]));
  expect(sent).toContain(
    "40000380 3c000180 1c000180 18000100 0a000000 6f6c6272 31000000 00000000 00000000 1c000a80 18000100 0a00ffff 6f6c6272 31000000",
  );
});

test("more elements than an attribute holds go in several messages of one batch", () => {
  const elements = Array.from({ length: 1001 }, (_, index) => ({ key: [portBytes(index)] }));
  const sent = hex(encodeAdd("orlop", [{ set: "x", elements }]));
  expect(sent.match(/ 0c0a0504 /g)).toHaveLength(3);
  expect(sent.match(/14000000 10000500/g)).toHaveLength(1);
});

test("nothing is sent for nothing", () => {
  expect(encodeAdd("orlop", [])).toHaveLength(0);
});
