/** poll(2) of one descriptor, without waiting: what Bun has no event for. */

import { dlopen } from "bun:ffi";

export const POLLPRI = 0x02;
export const POLLHUP = 0x10;

const { symbols: libc } = dlopen("libc.so.6", { poll: { args: ["ptr", "u64", "i32"], returns: "i32" } });

/** Those of `events`, and of the ones that are always told, that are there now. */
export function pollNow(fd: number, events: number): number {
  // struct pollfd: int fd; short events, revents.
  const poll = new Int32Array([fd, events]);
  return libc.poll(poll, 1n, 0) === 1 ? (poll[1] ?? 0) >>> 16 : 0;
}
