/** `ByteStream` over Bun.connect: node:net, the client's default, costs 9 ms at the CLI's start. */
import { closeSync, openSync } from "node:fs";
import { basename, dirname } from "node:path";
import { type Address, type ByteStream, Inflow } from "../client/byte-stream.ts";

/** sun_path holds 108 bytes, one of them NUL (unix(7)). */
const socketPathLimitBytes = 107;

export async function connectWithBun(address: Address): Promise<ByteStream> {
  if (address.kind === "tcp") return connectSocket({ hostname: address.host, port: address.port });
  if (Buffer.byteLength(address.path) <= socketPathLimitBytes) return connectSocket({ unix: address.path });
  // A longer path is reached through its directory's descriptor.
  const directory = openSync(dirname(address.path), "r");
  try {
    return await connectSocket({ unix: `/proc/self/fd/${directory}/${basename(address.path)}` });
  } finally {
    closeSync(directory);
  }
}

type Target = { readonly unix: string } | { readonly hostname: string; readonly port: number };

/** Bytes that the socket has not accepted yet, and the writers that wait for that. */
interface Outflow {
  queue: Uint8Array[];
  waiting: { readonly resolve: () => void; readonly reject: (error: Error) => void }[];
  endAfter: boolean;
}

async function connectSocket(target: Target): Promise<ByteStream> {
  const outflow: Outflow = { queue: [], waiting: [], endAfter: false };
  const inflow: Inflow = new Inflow((paused) => (paused ? socket.pause() : socket.resume()));
  const lose = (error?: Error) => {
    inflow.end(error);
    for (const { reject } of outflow.waiting.splice(0)) reject(error ?? new Error("the connection is closed"));
  };
  const handlers: Bun.SocketHandler<undefined> = {
    data: (_socket, bytes) => inflow.push(bytes),
    drain: (drained) => flush(drained, outflow),
    end: () => inflow.end(),
    close: () => lose(),
    error: (_socket, error) => lose(error),
  };
  const options = { allowHalfOpen: true, socket: handlers };
  // Not one call with a union: Bun's types have an overload for each kind of target.
  const socket: Bun.Socket =
    "unix" in target ? await Bun.connect({ ...target, ...options }) : await Bun.connect({ ...target, ...options });
  return {
    get ended() {
      return inflow.ended;
    },
    read: () => inflow.read(),
    write: (bytes) => write(socket, outflow, bytes),
    endWrite: () => {
      outflow.endAfter = true;
      flush(socket, outflow);
    },
    close: () => socket.terminate(),
  };
}

function write(socket: Bun.Socket, outflow: Outflow, bytes: Uint8Array): Promise<void> {
  outflow.queue.push(bytes);
  flush(socket, outflow);
  if (outflow.queue.length === 0) return Promise.resolve();
  return new Promise((resolve, reject) => outflow.waiting.push({ resolve, reject }));
}

/** Writes as much as the socket accepts; `drain` calls this again for the rest. */
function flush(socket: Bun.Socket, outflow: Outflow): void {
  for (let bytes = outflow.queue[0]; bytes !== undefined; bytes = outflow.queue[0]) {
    const taken = socket.write(bytes);
    if (taken < 0) {
      for (const { reject } of outflow.waiting.splice(0)) reject(new Error("the connection is closed"));
      return;
    }
    if (taken < bytes.length) {
      outflow.queue[0] = bytes.subarray(taken);
      return;
    }
    outflow.queue.shift();
  }
  for (const { resolve } of outflow.waiting.splice(0)) resolve();
  if (outflow.endAfter) socket.shutdown();
}
