/**
 * The server's side of the WebSocket protocol (RFC 6455): the handshake's answer, and frames. Without extensions.
 */

import { createHash } from "node:crypto";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** Sec-WebSocket-Accept for a Sec-WebSocket-Key; undefined for what is no key (16 bytes in base64). */
export function acceptKey(key: string): string | undefined {
  if (!/^[A-Za-z0-9+/]{22}==$/.test(key)) return undefined;
  return createHash("sha1")
    .update(key + GUID)
    .digest("base64");
}

export const opcode = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface Frame {
  readonly opcode: number;
  readonly payload: Uint8Array;
}

/** A client that sends more at once is no terminal. */
const PAYLOAD_MAX = 1024 * 1024;
const CONTROL_MAX = 125;

/** The other side does not keep to the protocol: the connection has to end. */
class WebSocketError extends Error {
  override readonly name = "WebSocketError";
}

/** A client's bytes as they come → its frames. Fragments are given as they are: what they carry is a stream of bytes. */
export class WebSocketDecoder {
  #held: Uint8Array = new Uint8Array(0);

  push(chunk: Uint8Array): Frame[] {
    this.#held = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    const frames: Frame[] = [];
    for (;;) {
      const found = readFrame(this.#held);
      if (found === undefined) return frames;
      frames.push(found.frame);
      this.#held = this.#held.subarray(found.size);
    }
  }
}

function readFrame(bytes: Uint8Array): { readonly frame: Frame; readonly size: number } | undefined {
  if (bytes.length < 2) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [first, second] = [view.getUint8(0), view.getUint8(1)];
  const code = first & 0x0f;
  if ((first & 0x70) !== 0) throw new WebSocketError("an extension that was not agreed on");
  if (!Object.values<number>(opcode).includes(code)) throw new WebSocketError(`opcode ${code}`);
  if ((second & 0x80) === 0) throw new WebSocketError("a client's frame that is not masked");
  const short = second & 0x7f;
  const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0;
  const head = 2 + lengthBytes + 4;
  if (bytes.length < head) return undefined;
  const length = short === 126 ? view.getUint16(2) : short === 127 ? Number(view.getBigUint64(2)) : short;
  if (length > PAYLOAD_MAX || (code >= opcode.close && length > CONTROL_MAX))
    throw new WebSocketError(`a frame of ${length} bytes`);
  if (bytes.length < head + length) return undefined;
  const payload = new Uint8Array(bytes.subarray(head, head + length)); // a copy: a Buffer's slice is none
  for (let i = 0; i < length; i++) payload[i] = (payload[i] ?? 0) ^ (bytes[head - 4 + (i % 4)] ?? 0);
  return { frame: { opcode: code, payload }, size: head + length };
}

/** One whole frame, as servers send them: not masked. */
export function encodeFrame(code: number, payload: Uint8Array): Uint8Array {
  const { length } = payload;
  const head = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const frame = Buffer.alloc(head + length);
  frame[0] = 0x80 | code;
  if (head === 2) frame[1] = length;
  else if (head === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 127;
    frame.writeBigUInt64BE(BigInt(length), 2);
  }
  frame.set(payload, head);
  return frame;
}
