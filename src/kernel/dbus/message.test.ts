/** The longer ones are of a conversation with dbus-daemon 1.14: what it took, and what it answered. */

import { describe, expect, test } from "bun:test";
import { decodeMessage, encodeCall, type Message, messageLength } from "./message.ts";

const bytes = (hex: string): Buffer => Buffer.from(hex.replace(/\s/g, ""), "hex");

test("a call is its fields, each aligned to eight bytes, and its arguments", () => {
  const call = encodeCall({
    serial: 2,
    destination: "org.freedesktop.DBus",
    path: "/org/freedesktop/DBus",
    interface: "org.freedesktop.DBus",
    member: "NameHasOwner",
    arguments: ["org.x"],
  });
  expect(Buffer.from(call).toString("hex")).toBe(
    bytes(`6c010201 0a000000 02000000 7f000000
      01016f00 15000000 2f6f72672f667265656465736b746f702f44427573 000000
      02017300 14000000 6f72672e667265656465736b746f702e44427573 00000000
      03017300 0c000000 4e616d654861734f776e6572 00000000
      06017300 14000000 6f72672e667265656465736b746f702e44427573 00000000
      08016700 01730000 05000000 6f72672e78 00`).toString("hex"),
  );
});

const toAndFrom = (
  signature: string,
): string => `06017300 04000000 3a312e30 00000000 05017500 02000000 08016700 01${signature}0000
  07017300 14000000 6f72672e667265656465736b746f702e44427573 00000000`;
const text = bytes(`6c020101 09000000 01000000 3d000000 ${toAndFrom("73")} 04000000 3a312e30 00`);
const truth = bytes(`6c020101 04000000 03000000 3d000000 ${toAndFrom("62")} 01000000`);
const list = bytes(`6c020101 18000000 03000000 10000000 05017500 02000000 08016700 02617300
  14000000 04000000 3a312e30 00000000 03000000 612e6200`);
const refusal = bytes(`6c030101 07000000 03000000 1f000000 04017300 03000000 612e6200 00000000
  05017500 02000000 08016700 01730000 02000000 6e6f00`);

const answer = (values: Message["values"]): Message => ({ type: "return", replySerial: 2, errorName: "", values });

describe("an answer is", () => {
  test.each([
    ["a text", text, answer([":1.0"])],
    ["a truth", truth, answer([true])],
    ["a list of texts", list, answer([[":1.0", "a.b"]])],
    ["nothing", bytes("6c020101 00000000 03000000 08000000 05017500 02000000"), answer([])],
    [
      "a text of a machine with the highest byte first",
      bytes("42020001 00000006 00000003 0000000f 05017500 00000002 08016700 01730000 00000001 7800"),
      answer(["x"]),
    ],
    ["an error, with a name and a reason", refusal, { ...answer(["no"]), type: "error", errorName: "a.b" } as const],
    [
      "no answer, but a signal",
      bytes("6c040101 00000000 03000000 00000000"),
      { ...answer([]), type: "signal", replySerial: 0 } as const,
    ],
  ])("%s", (_what, message, expected) => {
    expect(messageLength(message)).toBe(message.length);
    expect(decodeMessage(message)).toEqual(expected);
  });
});

/** The same with another byte there. */
function withByte(message: Buffer, at: number, value: number): Buffer {
  const changed = Buffer.from(message);
  changed[at] = value;
  return changed;
}

describe("what is no message is refused:", () => {
  test.each([
    ["another first byte", withByte(text, 0, 0x58), "no D-Bus message"],
    ["a body of 16 MiB", withByte(text, 7, 1), "a message of 16777"],
    ["fields of 16 MiB", withByte(text, 15, 1), "a message of 16777"],
    ["a text that is longer than its message", withByte(text, text.length - 9, 200), "a text beyond its message"],
    ["a list that is longer than its message", withByte(list, 32, 200), ""],
    ["a value of a type that nobody asks for", withByte(truth, 45, 0x78), "a value of type x"],
    ["a message that ends within its fields", text.subarray(0, 40), ""],
  ])("%s", (_what, message, reason) => {
    const read = (): Message => {
      messageLength(message);
      return decodeMessage(message);
    };
    expect(read).toThrow(reason);
  });
});
