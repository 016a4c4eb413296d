/** Descriptors as such: what a stream of node:net stands on, and how it is given to another process. Bun has no call for either. */

import { dlopen, ptr } from "bun:ffi";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";

const F_DUPFD_CLOEXEC = 1030;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;

const { symbols: libc } = dlopen("libc.so.6", {
  fcntl: { args: ["i32", "i32", "i32"], returns: "i32" },
  sendmsg: { args: ["i32", "ptr", "i32"], returns: "i64" },
});

/** The descriptor under a stream; undefined where it has none: a stream inside this process, one that is closed. */
export function descriptorOf(stream: Duplex): number | undefined {
  const fd = (stream as Socket & { readonly _handle?: { readonly fd?: number } | null })._handle?.fd;
  return stream.destroyed || fd === undefined || fd < 0 ? undefined : fd;
}

/** Another descriptor for the same thing, which is not inherited. -1: there is no room for one. */
export function duplicate(descriptor: number): number {
  return libc.fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
}

/** Sends bytes with a descriptor beside the first of them, without waiting. How many were taken; -1: none. */
export function sendWithDescriptor(socket: number, bytes: Uint8Array, descriptor: number): number {
  // struct cmsghdr: size_t len, int level, int type; then the descriptor. struct iovec, struct msghdr: eight bytes for each field.
  const control = new ArrayBuffer(24);
  const view = new DataView(control);
  view.setBigUint64(0, 20n, true);
  view.setInt32(8, SOL_SOCKET, true);
  view.setInt32(12, SCM_RIGHTS, true);
  view.setInt32(16, descriptor, true);
  const part = BigUint64Array.of(BigInt(ptr(bytes)), BigInt(bytes.length));
  const message = BigUint64Array.of(0n, 0n, BigInt(ptr(part)), 1n, BigInt(ptr(control)), 24n, 0n);
  return Number(libc.sendmsg(socket, ptr(message), MSG_DONTWAIT | MSG_NOSIGNAL));
}
