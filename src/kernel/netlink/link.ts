/** Requests about network links (rtnetlink(7), linux/rtnetlink.h, linux/if_link.h). */

import type { NetlinkRequest } from "./message.ts";

const RTM_NEWLINK = 16;
export const IFF_UP = 1;

export interface LinkChange {
  /** Interface number. */
  readonly index: number;
  /** IFF_* to have … */
  readonly flags: number;
  /** … of these. */
  readonly change: number;
}

/** Changes flags of a link that exists. */
export function changeLink({ index, flags, change }: LinkChange): NetlinkRequest {
  return { type: RTM_NEWLINK, payload: [interfaceInfo({ index, flags, change })] };
}

/** struct ifinfomsg: family and type 0, that is any. */
export function interfaceInfo({ index, flags, change }: LinkChange): Uint8Array {
  const info = new Uint8Array(16);
  const view = new DataView(info.buffer);
  view.setInt32(4, index, true);
  view.setUint32(8, flags, true);
  view.setUint32(12, change, true);
  return info;
}
