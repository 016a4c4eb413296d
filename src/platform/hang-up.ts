/**
 * Whether the other side of a socket is gone altogether, or has only ended its half. Streams say "end" for both, and of a
 * socket that may be half-open nothing more.
 */

import type { Socket } from "node:net";
import { descriptorOf } from "./descriptors.ts";
import { POLLHUP, pollNow } from "./poll.ts";

/** Asks poll(2). A socket that is closed on our side has hung up, too. */
export function hasHungUp(socket: Socket): boolean {
  const fd = descriptorOf(socket);
  return fd === undefined || (pollNow(fd, 0) & POLLHUP) !== 0;
}
