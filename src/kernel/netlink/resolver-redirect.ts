/**
 * The rules that redirect a container's DNS questions to its resolver: what is sent in its namespace to 127.0.0.11, port 53, goes to
 * the port that netd listens on. So port 53 stays free on every address for a server of the container's own.
 */

import type { Step } from "../step.ts";
import { attribute, type NetlinkRequest, NLM_F_CREATE, nested } from "./message.ts";
import { dnat, isEqual, loadHeader, loadMeta, network32, registers, setRegister } from "./nft-expressions.ts";
import { encodeBatch, NETLINK_NETFILTER, portBytes } from "./nftables.ts";

/** linux/netfilter/nf_tables.h; the subsystem's number is in the upper byte. */
const NFT_MSG_NEWTABLE = 0x0a00;
const NFT_MSG_NEWCHAIN = 0x0a03;
const NFT_MSG_NEWRULE = 0x0a06;
const NLM_F_APPEND = 0x800;
const NFPROTO_IPV4 = 2;

const NFTA_TABLE_NAME = 1;
const NFTA_CHAIN_TABLE = 1;
const NFTA_CHAIN_NAME = 3;
const NFTA_CHAIN_HOOK = 4;
const NFTA_CHAIN_TYPE = 7;
const NFTA_HOOK_HOOKNUM = 1;
const NFTA_HOOK_PRIORITY = 2;
const NFTA_RULE_TABLE = 1;
const NFTA_RULE_CHAIN = 2;
const NFTA_RULE_EXPRESSIONS = 4;

const NF_INET_LOCAL_OUT = 3;
const NF_IP_PRI_NAT_DST = -100;

const TABLE = "orlop";
const CHAIN = "resolver";
const DNS_PORT = 53;
const resolverAddress = Uint8Array.of(127, 0, 0, 11);
const protocols = { tcp: 6, udp: 17 } as const;

/** For a plan inside the namespace, once, before anything runs there. */
export function planResolverRedirect(port: number): Step {
  return {
    op: "netlink",
    protocol: NETLINK_NETFILTER,
    messages: encodeBatch([
      request(NFT_MSG_NEWTABLE, NLM_F_CREATE, [attribute(NFTA_TABLE_NAME, TABLE)]),
      request(NFT_MSG_NEWCHAIN, NLM_F_CREATE, [
        attribute(NFTA_CHAIN_TABLE, TABLE),
        attribute(NFTA_CHAIN_NAME, CHAIN),
        nested(NFTA_CHAIN_HOOK, [
          attribute(NFTA_HOOK_HOOKNUM, network32(NF_INET_LOCAL_OUT)),
          attribute(NFTA_HOOK_PRIORITY, network32(NF_IP_PRI_NAT_DST)),
        ]),
        attribute(NFTA_CHAIN_TYPE, "nat"),
      ]),
      redirect("udp", port),
      redirect("tcp", port),
    ]),
    why: "questions to 127.0.0.11:53 reach the resolver, and port 53 stays free for the container",
  };
}

/** ip daddr 127.0.0.11 meta l4proto PROTOCOL th dport 53 dnat to 127.0.0.11:PORT */
function redirect(protocol: keyof typeof protocols, port: number): NetlinkRequest {
  return request(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, [
    attribute(NFTA_RULE_TABLE, TABLE),
    attribute(NFTA_RULE_CHAIN, CHAIN),
    nested(NFTA_RULE_EXPRESSIONS, [
      loadHeader("network", 16, 4),
      isEqual(resolverAddress),
      loadMeta("l4proto"),
      isEqual(Uint8Array.of(protocols[protocol])),
      loadHeader("transport", 2, 2),
      isEqual(portBytes(DNS_PORT)),
      setRegister(registers.first, resolverAddress),
      setRegister(registers.second, portBytes(port)),
      dnat(NFPROTO_IPV4),
    ]),
  ]);
}

function request(type: number, flags: number, attributes: readonly Uint8Array[]): NetlinkRequest {
  // struct nfgenmsg
  return { type, flags, payload: [Uint8Array.of(NFPROTO_IPV4, 0, 0, 0), ...attributes] };
}
