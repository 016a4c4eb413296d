/** Requests about addresses of links (rtnetlink(7), linux/if_addr.h). */

import { addressBytes, type Subnet } from "../../base/ip-address.ts";
import { attribute, type NetlinkRequest, NLM_F_CREATE, NLM_F_EXCL } from "./message.ts";

const RTM_NEWADDR = 20;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_FLAGS = 8;
/** Without duplicate address detection, which would delay the address by a second: no other host can have ours. */
const IFA_F_NODAD = 2;

export const AF_INET = 2;
export const AF_INET6 = 10;
export const familyOf = (version: 4 | 6): number => (version === 4 ? AF_INET : AF_INET6);

/** Adds an address to a link; its prefix says which addresses are reached directly. */
export function addAddress(linkIndex: number, { address, prefix }: Subnet): NetlinkRequest {
  const bytes = addressBytes(address);
  const info = new Uint8Array(8); // struct ifaddrmsg
  info[0] = familyOf(address.version);
  info[1] = prefix;
  new DataView(info.buffer).setUint32(4, linkIndex, true);
  return {
    type: RTM_NEWADDR,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    payload: [
      info,
      attribute(IFA_LOCAL, bytes),
      attribute(IFA_ADDRESS, bytes),
      ...(address.version === 6 ? [attribute(IFA_FLAGS, IFA_F_NODAD)] : []),
    ],
  };
}
