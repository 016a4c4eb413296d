import { expect, test } from "bun:test";
import {
  type Answer,
  encodeAttach,
  encodeBare,
  encodeFrame,
  encodeHello,
  encodeResize,
  encodeSignal,
  encodeWatch,
  FRAME_MAX,
  FrameDecoder,
  FrameError,
  frameKind,
} from "./frame.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const unhex = (text: string): Uint8Array => Buffer.from(text.replaceAll(" ", ""), "hex");

test.each([
  ["HELLO", encodeHello(), "05000000 01 01000000"],
  ["GO", encodeBare("GO"), "01000000 04"],
  ["STOP", encodeBare("STOP"), "01000000 0e"],
  ["SIGNAL", encodeSignal(15), "05000000 05 0f000000"],
  ["RESIZE", encodeResize(24, 80), "05000000 06 1800 5000"],
  ["ATTACH", encodeAttach(7, 1), "03000000 08 07 01"],
  ["WATCH", encodeWatch(258), "05000000 0c 02010000"],
  ["NETD", encodeBare("NETD"), "01000000 10"],
])("%s as bytes", (_name, bytes, expected) => {
  expect(hex(bytes)).toBe(expected.replaceAll(" ", ""));
});

const answers: [string, string, Answer][] = [
  ["DONE", "01000000 40", { kind: "DONE" }],
  ["FAILED", "11000000 41 03000000 02000000 03000000 612f62 00", { kind: "FAILED", step: 3, errno: 2, detail: "a/b" }],
  ["VALUE", "0c000000 42 01000000 02000000 ff00 00", { kind: "VALUE", step: 1, value: Uint8Array.of(255, 0) }],
  ["STARTED", "0d000000 43 07000000 0100000000000000", { kind: "STARTED", pid: 7, startedNs: 1n }],
  ["EXITED", "0d000000 44 00010000 0000000001000000", { kind: "EXITED", status: 256, endedNs: 1n << 32n }],
  ["LOGGED", "01000000 45", { kind: "LOGGED" }],
  ["ATTACHED", "11000000 46 0500000000000000 0600000000000000", { kind: "ATTACHED", inode: 5n, offset: 6n }],
  [
    "STATUS",
    "12000000 47 02 00000000 0900000000000000 89000000",
    { kind: "STATUS", state: "exited", pid: 0, timeNs: 9n, status: 137 },
  ],
  ["LEAVE", "01000000 48", { kind: "LEAVE" }],
  ["SPAWNED", "05000000 49 2a000000", { kind: "SPAWNED", pid: 42 }],
];

test.each(answers)("%s is read", (_name, bytes, answer) => {
  expect(new FrameDecoder().push(unhex(bytes))).toEqual([answer]);
});

test("every split of a stream gives the same answers", () => {
  const stream = Buffer.concat(answers.map(([, bytes]) => unhex(bytes)));
  const expected = answers.map(([, , answer]) => answer);
  for (let size = 1; size <= stream.length; size++) {
    const decoder = new FrameDecoder();
    const read: Answer[] = [];
    for (let at = 0; at < stream.length; at += size) read.push(...decoder.push(stream.subarray(at, at + size)));
    expect(read).toEqual(expected);
    expect(decoder.rest.length).toBe(0);
  }
});

test("what follows an answer stays when one is asked for", () => {
  const decoder = new FrameDecoder();
  const chunk = Buffer.concat([unhex("11000000 46 0500000000000000 0600000000000000"), Buffer.from("output")]);
  expect(decoder.pushOne(chunk)).toEqual({ kind: "ATTACHED", inode: 5n, offset: 6n });
  expect(Buffer.from(decoder.rest).toString()).toBe("output");
});

test.each([
  ["a length of 0", "00000000"],
  ["a length over the limit", "01001000 40"],
  ["an unknown kind", "01000000 63"],
  ["a payload that is too short", "04000000 49 2a0000"],
  ["a payload that is too long", "02000000 40 00"],
  ["a string without its NUL", "11000000 41 03000000 02000000 03000000 612f62 01"],
  ["a string longer than its frame", "11000000 41 03000000 02000000 ff000000 612f62 00"],
  ["an unknown state", "12000000 47 03 00000000 0900000000000000 89000000"],
])("%s is refused", (_name, bytes) => {
  expect(() => new FrameDecoder().push(unhex(bytes))).toThrow(FrameError);
});

test("a frame over the limit is not made", () => {
  expect(() => encodeFrame(frameKind.STEP, new Uint8Array(FRAME_MAX))).toThrow(FrameError);
  expect(encodeFrame(frameKind.STEP, new Uint8Array(FRAME_MAX - 1)).length).toBe(FRAME_MAX + 4);
});
