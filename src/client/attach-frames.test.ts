/** Docker's attach frames, cut anywhere. */
import { expect, test } from "bun:test";
import { FrameDecoder } from "./attach-frames.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function frame(stream: number, text: string): Uint8Array {
  const bytes = new Uint8Array(8 + text.length);
  bytes[0] = stream;
  new DataView(bytes.buffer).setUint32(4, text.length);
  bytes.set(encoder.encode(text), 8);
  return bytes;
}

const whole = Buffer.concat([frame(1, "out one\n"), frame(2, "err\n"), frame(1, ""), frame(1, "out two")]);

test("streams come apart, wherever the bytes are cut", () => {
  for (let first = 0; first <= whole.length; first++)
    for (let second = first; second <= whole.length; second++) {
      const frames = new FrameDecoder();
      const text = { stdin: "", stdout: "", stderr: "" };
      for (const part of [whole.subarray(0, first), whole.subarray(first, second), whole.subarray(second)])
        for (const piece of frames.decode(part)) text[piece.stream] += decoder.decode(piece.bytes);
      expect(text).toEqual({ stdin: "", stdout: "out one\nout two", stderr: "err\n" });
      expect(frames.whole).toBe(true);
    }
});

test("an unfinished frame shows", () => {
  const frames = new FrameDecoder();
  for (const piece of frames.decode(whole.subarray(0, 12))) expect(decoder.decode(piece.bytes)).toBe("out ");
  expect(frames.whole).toBe(false);
});

test("a stream that does not exist is an error", () => {
  expect(() => [...new FrameDecoder().decode(frame(7, "x"))]).toThrow("names stream 7");
});
