/**
 * Netlink messages as bytes: header, a fixed part, attributes (netlink(7), linux/netlink.h). All integers are in the
 * machine's order, which is little-endian on both machines that Orlop runs on.
 */

const HEADER_BYTES = 16;
export const ATTRIBUTE_HEADER_BYTES = 4;
/** The length field of an attribute has 16 bits. */
const ATTRIBUTE_MAX = 0xffff;

const NLM_F_REQUEST = 1;
const NLM_F_ACK = 4;
/** More flags of requests that make something. */
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;

/** Set in the type of an attribute that holds attributes. */
export const NLA_F_NESTED = 0x8000;

export interface NetlinkRequest {
  /** RTM_* or a generic family's number. */
  readonly type: number;
  /** NLM_F_* beside REQUEST and ACK, which every request has. */
  readonly flags?: number;
  /** What follows the header: a family's structure and then attributes, each padded to 4 bytes. */
  readonly payload: readonly Uint8Array[];
}

/** Requests in one buffer, numbered from 1: each is answered by an acknowledgement with its number. */
export function encodeRequests(requests: readonly NetlinkRequest[]): Uint8Array {
  return concatenate(requests.map((request, index) => encodeRequest(request, index + 1)));
}

function encodeRequest({ type, flags = 0, payload }: NetlinkRequest, sequence: number): Uint8Array {
  const body = concatenate(payload.map(padded));
  const message = new Uint8Array(HEADER_BYTES + body.length);
  putWord(message, 0, message.length);
  putHalf(message, 4, type);
  putHalf(message, 6, flags | NLM_F_REQUEST | NLM_F_ACK);
  putWord(message, 8, sequence);
  // The port at 12 stays 0: the kernel fills in the socket's own.
  message.set(body, HEADER_BYTES);
  return message;
}

/**
 * One attribute: a number as u32, text with its NUL, or bytes.
 *
 * @throws {RangeError} when the value does not fit an attribute
 */
export function attribute(type: number, value: number | string | Uint8Array): Uint8Array {
  const bytes = typeof value === "number" ? word(value) : typeof value === "string" ? text(value) : value;
  const length = ATTRIBUTE_HEADER_BYTES + bytes.length;
  if (length > ATTRIBUTE_MAX) throw new RangeError(`netlink attribute ${type}: ${bytes.length} bytes`);
  const encoded = new Uint8Array(length);
  putHalf(encoded, 0, length);
  putHalf(encoded, 2, type);
  encoded.set(bytes, ATTRIBUTE_HEADER_BYTES);
  return encoded;
}

/** An attribute that holds attributes. */
export function nested(type: number, attributes: readonly Uint8Array[]): Uint8Array {
  return attribute(type | NLA_F_NESTED, concatenate(attributes.map(padded)));
}

function word(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  putWord(bytes, 0, value);
  return bytes;
}

/* A DataView of each small array would cost more than everything else: the engine gives every one a buffer of its own then. */

function putHalf(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >> 8;
}

function putWord(bytes: Uint8Array, at: number, value: number): void {
  putHalf(bytes, at, value);
  putHalf(bytes, at + 2, value >> 16);
}

function text(value: string): Uint8Array {
  if (value.includes("\0")) throw new RangeError("netlink text with NUL");
  return new TextEncoder().encode(`${value}\0`);
}

/** Followed by zeros up to a multiple of 4; the attribute's own length does not count them. */
function padded(bytes: Uint8Array): Uint8Array {
  const rest = bytes.length % 4;
  return rest === 0 ? bytes : concatenate([bytes, new Uint8Array(4 - rest)]);
}

export function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** A value of one byte. */
export function byte(value: number): Uint8Array {
  return Uint8Array.of(value);
}
