/** Finds the process that uses a port of this machine, in /proc. Slow, because it looks at every descriptor: for error messages only. */

import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import type { HeldPorts, PortHolder } from "./netd.ts";

/** net/tcp_states.h. Only listening sockets prevent a bind. */
const TCP_LISTEN = "0A";
/** udp has no states: 7 is an unconnected socket, 1 a connected one. */
const udpStates = ["07", "01"];

/** undefined when none is found: it has closed the port, or is in another network namespace. */
export function findPortHolder(ports: HeldPorts, port: number): PortHolder | undefined {
  if (ports.protocol === "sctp") return undefined;
  const inodes = new Set(tables(ports.protocol).flatMap((table) => socketsOn(table, ports.protocol, port)));
  if (inodes.size === 0) return undefined;
  for (const pid of list("/proc").filter((name) => /^\d+$/.test(name))) {
    for (const fd of list(`/proc/${pid}/fd`)) {
      const inode = /^socket:\[(\d+)\]$/.exec(read(() => readlinkSync(`/proc/${pid}/fd/${fd}`)))?.[1];
      if (inode !== undefined && inodes.has(inode)) {
        return { pid: Number(pid), command: read(() => readFileSync(`/proc/${pid}/comm`, "utf8")).trim() };
      }
    }
  }
  return undefined;
}

/** Both versions, because an IPv6 socket may also use the port for IPv4. */
function tables(protocol: string): string[] {
  return [`/proc/net/${protocol}`, `/proc/net/${protocol}6`];
}

/** Inodes of the sockets on this port: columns are sl, local, remote, state, …, the tenth is the inode (proc(5)). */
function socketsOn(table: string, protocol: string, port: number): string[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  return read(() => readFileSync(table, "utf8"))
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local, , state = ""]) => local?.endsWith(suffix) && isHolding(protocol, state))
    .map((columns) => columns[9] ?? "");
}

function isHolding(protocol: string, state: string): boolean {
  return protocol === "tcp" ? state === TCP_LISTEN : udpStates.includes(state);
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return []; // the process is gone
  }
}

function read(get: () => string): string {
  try {
    return get();
  } catch {
    return ""; // the process is gone, or this kernel has no such table
  }
}
