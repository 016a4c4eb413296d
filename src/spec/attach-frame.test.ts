import { expect, test } from "bun:test";
import { AttachFrameDecoder, AttachFrameError, type AttachStream, encodeAttachFrame } from "./attach-frame.ts";

const frames: readonly (readonly [AttachStream, string])[] = [
  [1, "hello\n"],
  [2, ""],
  [2, "x".repeat(70_000)],
  [1, "bye"],
];
const bytes = Buffer.concat(frames.map(([stream, text]) => encodeAttachFrame(stream, Buffer.from(text))));

/** The text of each stream, whatever the pieces were. */
function read(chunks: readonly Uint8Array[]): { texts: Record<number, string>; whole: boolean } {
  const decoder = new AttachFrameDecoder();
  const texts: Record<number, string> = {};
  for (const piece of chunks.flatMap((chunk) => decoder.push(chunk))) {
    texts[piece.stream] = (texts[piece.stream] ?? "") + Buffer.from(piece.bytes).toString();
  }
  return { texts, whole: decoder.whole };
}

test.each([1, 3, 8, 4096, bytes.length])("frames in chunks of %d bytes", (size) => {
  const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
    bytes.subarray(i * size, (i + 1) * size),
  );
  expect(read(chunks)).toEqual({ texts: { 1: "hello\nbye", 2: "x".repeat(70_000) }, whole: true });
});

test("a frame is a stream, three zeros and a big-endian length", () => {
  expect(Buffer.from(encodeAttachFrame(2, Buffer.from("ab"))).toString("hex")).toBe("02000000000000026162");
});

test.each([3, 10])("an end after %d bytes is in the middle of a frame", (size) => {
  expect(read([bytes.subarray(0, size)]).whole).toBe(false);
});

test("a terminal's raw bytes are not frames", () => {
  expect(() => read([Buffer.from("root@host:/# ")])).toThrow(AttachFrameError);
});
