/** The loopback link of a new network namespace, which exists from the start, and is down. */

import type { Step } from "../step.ts";
import { changeLink, IFF_UP } from "./link.ts";
import { encodeRequests } from "./message.ts";

const NETLINK_ROUTE = 0;
/** The kernel makes `lo` first, in every namespace. */
const LOOPBACK_INDEX = 1;

/** Sets it up; the kernel then adds 127.0.0.1/8 and ::1. */
export function loopbackUp(): Step {
  return {
    op: "netlink",
    protocol: NETLINK_ROUTE,
    messages: encodeRequests([changeLink({ index: LOOPBACK_INDEX, flags: IFF_UP, change: IFF_UP })]),
    why: "loopback: a new network namespace has it, but down",
  };
}
