import { describe, expect, test } from "bun:test";
import { loopbackUp } from "./loopback.ts";
import { attribute, encodeRequests, NLM_F_CREATE, NLM_F_EXCL, nested } from "./message.ts";

const hex = (bytes: Uint8Array): string => bytes.toHex().replace(/(.{8})(?=.)/g, "$1 ");

describe("netlink messages", () => {
  test("the loopback link goes up with what `ip link set lo up` sends", () => {
    const { op, protocol, messages } = loopbackUp() as Extract<ReturnType<typeof loopbackUp>, { op: "netlink" }>;
    expect({ op, protocol }).toEqual({ op: "netlink", protocol: 0 });
    // length 32, RTM_NEWLINK, REQUEST|ACK, sequence 1, port 0; family 0, index 1, IFF_UP of IFF_UP
    expect(hex(messages)).toBe("20000000 10000500 01000000 00000000 00000000 01000000 01000000 01000000");
  });

  test("requests are numbered, and each part is padded to four bytes", () => {
    const encoded = encodeRequests([
      { type: 0x10, payload: [attribute(3, "lo")] },
      { type: 0x12, flags: NLM_F_CREATE | NLM_F_EXCL, payload: [] },
    ]);
    expect(hex(encoded)).toBe(
      ["18000000 10000500 01000000 00000000 07000300 6c6f0000", "10000000 12000506 02000000 00000000"].join(" "),
    );
  });

  test("attributes hold numbers, text, bytes or attributes", () => {
    expect(hex(attribute(13, 1500))).toBe("08000d00 dc050000");
    expect(hex(attribute(1, 0xffff_ffff))).toBe("08000100 ffffffff");
    expect(hex(attribute(2, new Uint8Array([10, 0, 0, 1])))).toBe("08000200 0a000001");
    expect(hex(nested(18, [attribute(1, "veth"), attribute(2, new Uint8Array(2))]))).toBe(
      "18001280 09000100 76657468 00000000 06000200 00000000",
    );
  });

  test("what does not fit is refused", () => {
    expect(() => attribute(1, new Uint8Array(0xffff))).toThrow(RangeError);
    expect(() => attribute(1, "a\0b")).toThrow("NUL");
  });
});
