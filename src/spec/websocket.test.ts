import { expect, test } from "bun:test";
import { acceptKey, encodeFrame, opcode, WebSocketDecoder } from "./websocket.ts";

/** As a client sends it. */
function masked(code: number, payload: Uint8Array, mask = [1, 2, 3, 4]): Uint8Array {
  const frame = encodeFrame(code, payload);
  const head = frame.length - payload.length;
  const out = Buffer.concat([frame.subarray(0, head), Buffer.from(mask), payload]);
  out[1] = (out[1] ?? 0) | 0x80;
  for (let i = 0; i < payload.length; i++) out[head + 4 + i] = (payload[i] ?? 0) ^ (mask[i % 4] ?? 0);
  return out;
}

test("the key's answer is the RFC's example", () => {
  expect(acceptKey("dGhlIHNhbXBsZSBub25jZQ==")).toBe("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  expect(acceptKey("short")).toBeUndefined();
});

test.each([0, 1, 125, 126, 65_535, 65_536, 1_048_576])("a frame of %d bytes, whole and byte by byte", (size) => {
  const payload = Uint8Array.from({ length: size }, (_, i) => i % 251);
  const bytes = masked(opcode.binary, payload);
  const [frame] = new WebSocketDecoder().push(bytes);
  expect([frame?.opcode, Buffer.compare(frame?.payload ?? Buffer.alloc(0), payload)]).toEqual([2, 0]);
  if (size > 126) return;
  const decoder = new WebSocketDecoder();
  const frames = Array.from(bytes, (_, at) => decoder.push(bytes.subarray(at, at + 1))).flat();
  expect(frames).toEqual([{ opcode: 2, payload }]);
});

test.each([
  ["not masked", encodeFrame(opcode.binary, new Uint8Array(1))],
  ["an unknown opcode", masked(3, new Uint8Array(1))],
  ["a long control frame", masked(opcode.ping, new Uint8Array(126))],
  ["over the limit", masked(opcode.binary, new Uint8Array(8)).with(1, 0xff).with(2, 0xff)],
  ["an extension", masked(opcode.binary, new Uint8Array(1)).with(0, 0xc2)],
])("%s ends the connection", (_, bytes) => {
  expect(() => new WebSocketDecoder().push(Buffer.concat([bytes, new Uint8Array(16)]))).toThrow();
});
