/** Network namespaces of a test's own, what is asked inside of them, and servers upstream of netd. */

import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { once } from "node:events";
import { readdirSync, readlinkSync } from "node:fs";
import { type AddressInfo, createServer, type Server } from "node:net";
import { join } from "node:path";
import type { ScopedNames } from "../../src/kernel/netd.ts";
import type { DnsReply } from "./dns-client.ts";
import type { Scratch } from "./harness.ts";

export interface TestNamespace {
  readonly pid: number;
  readonly path: string;
  /** Asks there: name, type, name, type … The type may say the client's EDNS size: "A/1232". */
  ask(port: number, protocol: "udp" | "tcp", ...asked: string[]): Promise<DnsReply[]>;
  /** What a program says there; its exit code is no failure. */
  run(...words: string[]): Promise<string>;
}

/** Loopback is up in it; it goes with the test, and so does what still runs in it. */
export async function openNamespace(scratch: Scratch): Promise<TestNamespace> {
  const script = "ip link set lo up; echo ready; exec sleep 1000";
  const holder = Bun.spawn(["unshare", "--net", "sh", "-c", script], { stdout: "pipe" });
  const path = `/proc/${holder.pid}/ns/net`;
  await holder.stdout.getReader().read();
  const namespace = readlinkSync(path);
  scratch.defer(async () => {
    for (const pid of inNamespace(namespace)) process.kill(pid, "SIGKILL");
    await holder.exited;
  });
  const enter = ["nsenter", "-t", String(holder.pid), "--net", "--"];
  const run = async (...words: string[]): Promise<string> => {
    const program = Bun.spawn([...enter, ...words], { stdout: "pipe", stderr: "inherit" });
    return new Response(program.stdout).text();
  };
  return {
    pid: holder.pid,
    path,
    run,
    async ask(port, protocol, ...asked) {
      const client = join(import.meta.dir, "dns-client.ts");
      const said = await run(process.execPath, client, "127.0.0.11", String(port), protocol, ...asked);
      return JSON.parse(said) as DnsReply[];
    },
  };
}

function inNamespace(namespace: string): number[] {
  const pids = readdirSync("/proc")
    .map(Number)
    .filter((pid) => pid > 0);
  return pids.filter((pid) => {
    try {
      return readlinkSync(`/proc/${pid}/ns/net`) === namespace;
    } catch {
      return false; // it has ended
    }
  });
}

/** A container that is called so, with these addresses ("10.0.0.1", or 16 bytes). */
export function named(names: readonly string[], ...addresses: (string | Uint8Array)[]): ScopedNames {
  return {
    names,
    addresses: addresses.map((address) =>
      typeof address === "string" ? Uint8Array.from(address.split("."), Number) : address,
    ),
    pointer: `${names[0]}.net`,
  };
}

/** What a server does with a query: gives the answer, or none. */
export type Serving = (query: Buffer, protocol: "udp" | "tcp") => Uint8Array | undefined;

/** A DNS server on 127.0.0.1, UDP and TCP on the same port; counts what it was asked. */
export async function serveDns(scratch: Scratch, serving: Serving): Promise<{ port: number; asked: Buffer[] }> {
  const asked: Buffer[] = [];
  const { socket, server } = await openPair();
  const { port } = socket.address();
  socket.on("message", (query, from) => {
    asked.push(query);
    const answer = serving(query, "udp");
    if (answer !== undefined) socket.send(answer, from.port, from.address);
  });
  server.on("connection", (connection) => {
    connection.on("error", () => undefined);
    connection.on("data", (chunk: Buffer) => {
      const query = chunk.subarray(2);
      asked.push(query);
      const answer = serving(query, "tcp");
      if (answer !== undefined) connection.write(Buffer.concat([lengthOf(answer), answer]));
    });
  });
  scratch.defer(() => {
    socket.close();
    server.close();
  });
  return { port, asked };
}

/** One port that is free for both. */
async function openPair(): Promise<{ socket: UdpSocket; server: Server }> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const socket = createSocket("udp4");
  try {
    socket.bind((server.address() as AddressInfo).port, "127.0.0.1");
    await once(socket, "listening");
    return { socket, server };
  } catch {
    socket.close();
    server.close();
    return openPair(); // somebody has the other protocol's
  }
}

function lengthOf(message: Uint8Array): Uint8Array {
  return Uint8Array.of(message.length >> 8, message.length & 255);
}

/** An answer to this query: a code, and addresses. */
export function answerTo(query: Buffer, code: number, ...addresses: string[]): Uint8Array {
  const question = query.subarray(0, questionEnd(query));
  const head = Buffer.from(question);
  head[2] = 0x81;
  head[3] = 0x80 | code;
  head.writeUInt16BE(addresses.length, 6);
  head.writeUInt16BE(0, 10);
  const records = addresses.map((address) =>
    Uint8Array.of(0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...address.split(".").map(Number)),
  );
  return Buffer.concat([head, ...records]);
}

function questionEnd(query: Buffer): number {
  let at = 12;
  while ((query[at] ?? 0) !== 0) at += 1 + (query[at] ?? 0);
  return at + 5;
}
