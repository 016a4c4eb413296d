/** Requests about routes (rtnetlink(7), linux/rtnetlink.h). */

import { addressBytes, type IpAddress } from "../../base/ip-address.ts";
import { familyOf } from "./address.ts";
import { attribute, type NetlinkRequest, NLM_F_CREATE } from "./message.ts";

const RTM_NEWROUTE = 24;
const RTM_DELROUTE = 25;
export const RTM_GETROUTE = 26;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const NLM_F_REPLACE = 0x100;
const RT_TABLE_MAIN = 254;
const RTPROT_STATIC = 4;
const RTN_UNICAST = 1;

/** struct rtmsg: the default route of a family. */
function defaultInfo(version: 4 | 6, type: number): Uint8Array {
  return Uint8Array.of(familyOf(version), 0, 0, 0, RT_TABLE_MAIN, RTPROT_STATIC, 0, type, 0, 0, 0, 0);
}

/** Sets the default route to this gateway, in place of an earlier one. */
export function setDefaultRoute(gateway: IpAddress, linkIndex: number): NetlinkRequest {
  return {
    type: RTM_NEWROUTE,
    flags: NLM_F_CREATE | NLM_F_REPLACE,
    payload: [
      defaultInfo(gateway.version, RTN_UNICAST),
      attribute(RTA_GATEWAY, addressBytes(gateway)),
      attribute(RTA_OIF, linkIndex),
    ],
  };
}

export function deleteDefaultRoute(version: 4 | 6): NetlinkRequest {
  return { type: RTM_DELROUTE, payload: [defaultInfo(version, 0)] };
}

/** Lists every route of every table, of both families. */
export function listRoutes(): NetlinkRequest {
  return { type: RTM_GETROUTE, payload: [new Uint8Array(12)] };
}
