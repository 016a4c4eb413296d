/** The machine's D-Bus: connects to the system bus and calls methods, one after the other. */

import { connect, type Socket } from "node:net";
import { type BusValue, decodeMessage, encodeCall, MESSAGE_START, messageLength } from "./message.ts";

const BUS_ITSELF = {
  destination: "org.freedesktop.DBus",
  path: "/org/freedesktop/DBus",
  interface: "org.freedesktop.DBus",
};

/** The object and interface that have a method. */
export interface BusObject {
  readonly destination: string;
  readonly path: string;
  readonly interface: string;
}

/** The other side has answered with an error. */
export class BusRefusal extends Error {
  /** For programs: `org.fedoraproject.FirewallD1.Exception`. */
  readonly errorName: string;

  constructor(errorName: string, message: string) {
    super(message || errorName);
    this.errorName = errorName;
  }
}

/** The answer that is awaited; there is at most one. */
interface Awaited {
  /** Takes the answer from the bytes that have arrived; undefined: it is incomplete. */
  take(bytes: Buffer): { readonly taken: number } | undefined;
  fail(error: Error): void;
}

export class SystemBus {
  readonly #socket: Socket;
  #bytes: Buffer = Buffer.alloc(0);
  #awaited: Awaited | undefined;
  #broken: Error | undefined;
  #serial = 0;

  private constructor(socket: Socket, signal: AbortSignal) {
    this.#socket = socket;
    socket.on("data", (more: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, more]);
      this.#goOn();
    });
    socket.on("error", (error) => this.#break(error));
    socket.on("close", () => this.#break(new Error("the bus has closed the connection")));
    signal.addEventListener("abort", () => this.#break(new Error("no answer in time")), { once: true });
  }

  /**
   * @param signal ends the connection, and whatever is awaited of it
   * @throws {Error} there is no bus, or it refuses us
   */
  static async open(signal: AbortSignal): Promise<SystemBus> {
    const socket = connect({ path: socketPath() });
    const bus = new SystemBus(socket, signal);
    // "AUTH EXTERNAL": the bus knows our uid from the kernel; we send the same uid, decimal, encoded as hexadecimal
    const user = Buffer.from(String(process.getuid?.() ?? 0)).toString("hex");
    const answer = await bus.#ask(Buffer.from(`\0AUTH EXTERNAL ${user}\r\n`), takeLine);
    if (!answer.startsWith("OK ")) throw bus.#break(new Error(`the bus does not take us: ${answer}`));
    socket.write("BEGIN\r\n");
    await bus.call(BUS_ITSELF, "Hello");
    return bus;
  }

  /** Whether a process owns this name now. */
  async hasOwner(name: string): Promise<boolean> {
    return (await this.call(BUS_ITSELF, "NameHasOwner", name))[0] === true;
  }

  /** @throws {BusRefusal} the other side answered with an error @throws {Error} its answer is malformed, or late */
  call(object: BusObject, member: string, ...words: readonly string[]): Promise<readonly BusValue[]> {
    const serial = ++this.#serial;
    const request = encodeCall({ ...object, serial, member, arguments: words });
    return this.#ask(request, (bytes) => takeReply(bytes, serial));
  }

  close(): void {
    this.#break(new Error("the connection was closed"));
  }

  #ask<T>(request: Uint8Array, take: (bytes: Buffer) => Taken<T> | undefined): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    if (this.#broken !== undefined) reject(this.#broken);
    else {
      this.#awaited = {
        take: (bytes) => {
          const taken = take(bytes);
          if (taken?.value instanceof BusRefusal) reject(taken.value);
          else if (taken?.value !== undefined) resolve(taken.value);
          if (taken?.value !== undefined) this.#awaited = undefined;
          return taken;
        },
        fail: reject,
      };
      this.#socket.write(request);
    }
    return promise;
  }

  #goOn(): void {
    try {
      for (;;) {
        const result = this.#awaited?.take(this.#bytes);
        if (result === undefined) return;
        this.#bytes = this.#bytes.subarray(result.taken);
      }
    } catch (error) {
      this.#break(error as Error);
    }
  }

  #break(error: Error): Error {
    this.#broken ??= error;
    this.#socket.destroy();
    this.#awaited?.fail(error);
    this.#awaited = undefined;
    return error;
  }
}

/** What was taken. Without a value it was not the awaited answer, which may follow. */
interface Taken<T> {
  readonly taken: number;
  readonly value: T | BusRefusal | undefined;
}

const LONGEST_LINE = 1000;

function takeLine(bytes: Buffer): Taken<string> | undefined {
  const end = bytes.indexOf("\r\n");
  if (end < 0 && bytes.length > LONGEST_LINE) throw new Error("the bus does not answer as one");
  return end < 0 ? undefined : { taken: end + 2, value: bytes.subarray(0, end).toString() };
}

/** Skips signals and answers to other calls. */
function takeReply(bytes: Buffer, serial: number): Taken<readonly BusValue[]> | undefined {
  if (bytes.length < MESSAGE_START) return undefined;
  const taken = messageLength(bytes);
  if (bytes.length < taken) return undefined;
  const { type, replySerial, errorName, values } = decodeMessage(bytes.subarray(0, taken));
  if (type === "signal" || replySerial !== serial) return { taken, value: undefined };
  return { taken, value: type === "error" ? new BusRefusal(errorName, String(values[0] ?? "")) : values };
}

/** The bus's socket (D-Bus Specification, "System message bus"). Only addresses with a path are supported. */
function socketPath(): string {
  const address = process.env["DBUS_SYSTEM_BUS_ADDRESS"] ?? "";
  const path = /^unix:(?:.*,)?path=([^,;]+)/.exec(address)?.[1];
  return path === undefined ? "/run/dbus/system_bus_socket" : decodeURIComponent(path);
}
