/** `ByteStream` over node:net: the default outside the CLI, which has a faster one. */
import { createConnection, type Socket } from "node:net";
import { OrlopError } from "../base/errors.ts";
import { type Address, type ByteStream, Inflow } from "./byte-stream.ts";

/** Connects with node:net. Rejects with the system's error (`code` "ENOENT", "ECONNREFUSED", …). */
export function connectWithNode(address: Address): Promise<ByteStream> {
  const target = address.kind === "unix" ? { path: address.path } : { host: address.host, port: address.port };
  return new Promise((resolve, reject) => {
    const socket = createConnection({ ...target, allowHalfOpen: true });
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.off("error", reject);
      resolve(streamOf(socket));
    });
  });
}

function streamOf(socket: Socket): ByteStream {
  const inflow = new Inflow((paused) => (paused ? socket.pause() : socket.resume()));
  let lost: Error | undefined;
  socket.on("data", (bytes: Uint8Array) => inflow.push(bytes));
  socket.on("end", () => inflow.end());
  socket.on("error", (error) => {
    lost = OrlopError.of("engine_broke_off", { reason: error.message }, error);
    inflow.end(lost);
  });
  socket.on("close", () => inflow.end());
  return {
    get ended() {
      return inflow.ended;
    },
    read: () => inflow.read(),
    write: (bytes) =>
      new Promise((resolve, reject) => {
        if (lost !== undefined) reject(lost);
        else socket.write(bytes, (error) => (error ? reject(lost ?? error) : resolve()));
      }),
    endWrite: () => void socket.end(),
    close: () => void socket.destroy(),
  };
}
