/** A netd of a test's own, below a supervisor of its own, and links to it as an engine has them. */

import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import type { HeldPorts } from "../../src/kernel/netd.ts";
import { NetdLink } from "../../src/kernel/netd-link.ts";
import { waitUntil } from "../wait-until.ts";
import type { Scratch } from "./harness.ts";
import { isAlive, type SupervisorOptions, startSupervisor, type TestSupervisor } from "./supervisor-fixture.ts";

export const loopback4 = Uint8Array.of(127, 0, 0, 1);
export const loopback6 = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
export const any4 = new Uint8Array(4);
export const any6 = new Uint8Array(16);

export interface TestNetd {
  readonly supervisor: TestSupervisor;
  /** The engine's, synced. */
  readonly link: NetdLink;
}

/** A supervisor, and a link that has synced. Afterwards everything is let go, and netd with it. */
export async function startNetd(scratch: Scratch, options: SupervisorOptions = {}): Promise<TestNetd> {
  const supervisor = await startSupervisor(scratch, options);
  scratch.defer(() => endNetd(supervisor.runDirectory));
  const link = await linkTo(scratch, supervisor.runDirectory);
  return { supervisor, link };
}

/** Another engine's link. */
export async function linkTo(scratch: Scratch, runDirectory: string): Promise<NetdLink> {
  const link = new NetdLink(runDirectory);
  scratch.defer(() => link[Symbol.dispose]());
  await link.sync();
  return link;
}

export function netdPid(runDirectory: string): number {
  return Number(readFileSync(join(runDirectory, "netd.lock"), "utf8"));
}

/** Lets everything go: netd leaves. */
async function endNetd(runDirectory: string): Promise<void> {
  const last = new NetdLink(runDirectory);
  await last.sync();
  last[Symbol.dispose]();
  const pid = pidOrNone(runDirectory);
  if (pid !== undefined) await waitUntil(() => !isAlive(pid), 5000, "netd has left");
}

function pidOrNone(runDirectory: string): number | undefined {
  try {
    return netdPid(runDirectory);
  } catch {
    return undefined; // none was ever started
  }
}

/** One port of an address, relayed to a port of 127.0.0.1. */
export function relayed(protocol: "tcp" | "udp", address: Uint8Array, port: number, to: number): HeldPorts {
  return { protocol, address, first: port, last: port, relay: { address: loopback4, port: to } };
}

/** A server on 127.0.0.1 (a free port) for as long as the test runs. */
export async function serve(scratch: Scratch, onConnection: (socket: Socket) => void): Promise<number> {
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => undefined); // the test's client may cut it off
    onConnection(socket);
  });
  server.listen({ host: "127.0.0.1", port: 0, backlog: 4096 });
  await once(server, "listening");
  scratch.defer(() => void server.close());
  return (server.address() as AddressInfo).port;
}

/** Answers each datagram with itself behind "echo ". */
export async function serveUdp(scratch: Scratch): Promise<number> {
  const socket = await openUdp(scratch, "127.0.0.1", 0);
  socket.on("message", (message, from) => socket.send(`echo ${message}`, from.port, from.address));
  return socket.address().port;
}

export async function openUdp(scratch: Scratch, address: string, port: number): Promise<UdpSocket> {
  const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
  scratch.defer(() => void socket.close());
  socket.bind(port, address);
  await once(socket, "listening");
  return socket;
}

/** Whether this process can listen there. */
export async function canListen(host: string, port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen({ host, port, exclusive: true });
    await once(server, "listening");
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}
