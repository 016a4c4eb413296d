/**
 * Whether the other side of a socket is gone altogether, or has only ended its half. Streams say "end" for both, and of a
 * socket that may be half-open nothing more.
 */

import { dlopen } from "bun:ffi";
import type { Socket } from "node:net";

const POLLHUP = 0x10;

const { symbols: libc } = dlopen("libc.so.6", { poll: { args: ["ptr", "u64", "i32"], returns: "i32" } });

/** Asks poll(2). A socket that is closed on our side has hung up, too. */
export function hasHungUp(socket: Socket): boolean {
  const fd = (socket as Socket & { readonly _handle?: { readonly fd?: number } | null })._handle?.fd;
  if (socket.destroyed || fd === undefined || fd < 0) return true;
  // struct pollfd: int fd; short events, revents.
  const poll = new Int32Array([fd, 0]);
  return libc.poll(poll, 1n, 0) === 1 && (((poll[1] ?? 0) >>> 16) & POLLHUP) !== 0;
}
