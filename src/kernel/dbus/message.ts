/**
 * D-Bus messages (D-Bus Specification, "Message Protocol"), as far as calls of methods need them whose arguments are strings.
 * Pure: values in, bytes out, and back.
 */

/** A call of a method. */
export interface Call {
  readonly serial: number;
  readonly destination: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly arguments: readonly string[];
}

/** What a reply holds; of other types nothing is asked for. */
export type BusValue = string | boolean | readonly string[];

export interface Message {
  /** signal: anything that answers no call. */
  readonly type: "return" | "error" | "signal";
  /** The call that this answers. */
  readonly replySerial: number;
  readonly errorName: string;
  readonly values: readonly BusValue[];
}

/** How many bytes must be there before `messageLength` can tell. */
export const MESSAGE_START = 16;
/** Far more than any answer that is asked for; the specification allows 128 MiB. */
const LONGEST = 1 << 20;

const METHOD_CALL = 1;
const METHOD_RETURN = 2;
const ERROR = 3;
/** Nobody is to be started by this call. */
const NO_AUTO_START = 2;
const PROTOCOL_VERSION = 1;
/** Header fields. */
const PATH = 1;
const INTERFACE = 2;
const MEMBER = 3;
const ERROR_NAME = 4;
const REPLY_SERIAL = 5;
const DESTINATION = 6;
const SIGNATURE = 8;

export function encodeCall(call: Call): Uint8Array {
  const body = new Writer();
  for (const text of call.arguments) body.string(text);
  const fields = new Writer();
  const field = (code: number, type: string, write: () => void): void => {
    fields.align(8).byte(code).signature(type);
    write();
  };
  field(PATH, "o", () => fields.string(call.path));
  field(INTERFACE, "s", () => fields.string(call.interface));
  field(MEMBER, "s", () => fields.string(call.member));
  field(DESTINATION, "s", () => fields.string(call.destination));
  if (call.arguments.length > 0) field(SIGNATURE, "g", () => fields.signature("s".repeat(call.arguments.length)));
  // The fields begin at the 16th byte, so that their alignment is the message's.
  const message = new Writer().byte(0x6c).byte(METHOD_CALL).byte(NO_AUTO_START).byte(PROTOCOL_VERSION);
  message.uint32(body.bytes.length).uint32(call.serial).uint32(fields.bytes.length);
  return Uint8Array.from([...message.bytes, ...fields.align(8).bytes, ...body.bytes]);
}

/** The length of the message that begins here. @throws {Error} no message, or too long a one */
export function messageLength(bytes: Uint8Array): number {
  const reader = new Reader(bytes);
  const { bodyLength, fieldsLength } = reader.start();
  const length = MESSAGE_START + roundUp(fieldsLength, 8) + bodyLength;
  if (length > LONGEST) throw new Error(`a message of ${length} bytes`);
  return length;
}

/** @param bytes one whole message @throws {Error} what does not keep to the specification, or a value of another type */
export function decodeMessage(bytes: Uint8Array): Message {
  const reader = new Reader(bytes);
  const { type, fieldsLength } = reader.start();
  const fields = new Map<number, BusValue | number>();
  const end = MESSAGE_START + fieldsLength;
  while (reader.at < end) {
    const code = reader.align(8).byte();
    fields.set(code, reader.value(reader.signature()));
  }
  const text = (code: number): string => String(fields.get(code) ?? "");
  const answers = type === METHOD_RETURN || type === ERROR;
  reader.at = end;
  reader.align(8);
  return {
    type: type === METHOD_RETURN ? "return" : type === ERROR ? "error" : "signal",
    replySerial: Number(fields.get(REPLY_SERIAL) ?? 0),
    errorName: text(ERROR_NAME),
    values: answers ? reader.values(text(SIGNATURE)) : [],
  };
}

function roundUp(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}

class Writer {
  readonly bytes: number[] = [];

  align(to: number): this {
    while (this.bytes.length % to !== 0) this.bytes.push(0);
    return this;
  }

  byte(value: number): this {
    this.bytes.push(value);
    return this;
  }

  uint32(value: number): this {
    this.align(4);
    this.bytes.push(value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24);
    return this;
  }

  string(text: string): void {
    const bytes = Buffer.from(text);
    this.uint32(bytes.length);
    this.bytes.push(...bytes, 0);
  }

  signature(text: string): void {
    this.bytes.push(text.length, ...Buffer.from(text), 0);
  }
}

class Reader {
  at = 0;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #isLittle = true;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** The first 16 bytes, the same in every message. */
  start(): { readonly type: number; readonly bodyLength: number; readonly fieldsLength: number } {
    const order = this.byte();
    if (order !== 0x6c && order !== 0x42) throw new Error("no D-Bus message"); // l and B
    this.#isLittle = order === 0x6c;
    const type = this.byte();
    this.at = 4;
    const bodyLength = this.uint32();
    this.at = 12;
    return { type, bodyLength, fieldsLength: this.uint32() };
  }

  align(to: number): this {
    this.at = roundUp(this.at, to);
    return this;
  }

  byte(): number {
    return this.#view.getUint8(this.at++);
  }

  uint32(): number {
    const value = this.#view.getUint32(this.align(4).at, this.#isLittle);
    this.at += 4;
    return value;
  }

  signature(): string {
    return this.#text(this.byte());
  }

  values(signature: string): BusValue[] {
    const types = signature.match(/as|s|b/g) ?? [];
    if (types.join("") !== signature) throw new Error(`a value of type ${signature}`);
    return types.map((type) => this.value(type) as BusValue);
  }

  /** One of a single type. */
  value(type: string): BusValue | number {
    if (type === "s" || type === "o") return this.#text(this.uint32());
    if (type === "g") return this.signature();
    if (type === "u") return this.uint32();
    if (type === "b") return this.uint32() === 1;
    if (type !== "as") throw new Error(`a value of type ${type}`);
    const length = this.uint32();
    const end = this.at + length;
    const texts: string[] = [];
    while (this.at < end) texts.push(this.#text(this.uint32()));
    return texts;
  }

  /** With the NUL behind it, which does not count. */
  #text(length: number): string {
    const end = this.at + length;
    if (end >= this.#bytes.length) throw new Error("a text beyond its message");
    const text = Buffer.from(this.#bytes.subarray(this.at, end)).toString();
    this.at = end + 1;
    return text;
  }
}
