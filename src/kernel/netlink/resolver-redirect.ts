/**
 * The rules that lead a container's questions to its resolver: whatever is sent inside its namespace to 127.0.0.11, port 53, goes
 * to the port that netd listens on. So port 53 stays free for a server of the container's own, on every address.
 */

import type { Step } from "../step.ts";
import { attribute, type NetlinkRequest, NLM_F_CREATE, nested } from "./message.ts";
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
const NFTA_LIST_ELEM = 1;
const NFTA_EXPR_NAME = 1;
const NFTA_EXPR_DATA = 2;
const NFTA_DATA_VALUE = 1;

const NF_INET_LOCAL_OUT = 3;
const NF_IP_PRI_NAT_DST = -100;

const TABLE = "orlop";
const CHAIN = "resolver";
const DNS_PORT = 53;
const resolverAddress = Uint8Array.of(127, 0, 0, 11);
const protocols = { tcp: 6, udp: 17 } as const;

/** To be carried out inside the namespace, once, before anything runs there. */
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
          attribute(NFTA_HOOK_HOOKNUM, network(NF_INET_LOCAL_OUT)),
          attribute(NFTA_HOOK_PRIORITY, network(NF_IP_PRI_NAT_DST)),
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
      expression("payload", payloadAt(NFT_PAYLOAD_NETWORK_HEADER, 16, 4)),
      expression("cmp", equals(resolverAddress)),
      expression("meta", [
        attribute(NFTA_META_DREG, network(FIRST)),
        attribute(NFTA_META_KEY, network(NFT_META_L4PROTO)),
      ]),
      expression("cmp", equals(Uint8Array.of(protocols[protocol]))),
      expression("payload", payloadAt(NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2)),
      expression("cmp", equals(portBytes(DNS_PORT))),
      expression("immediate", immediate(FIRST, resolverAddress)),
      expression("immediate", immediate(SECOND, portBytes(port))),
      expression("nat", [
        attribute(NFTA_NAT_TYPE, network(NFT_NAT_DNAT)),
        attribute(NFTA_NAT_FAMILY, network(NFPROTO_IPV4)),
        attribute(NFTA_NAT_REG_ADDR_MIN, network(FIRST)),
        attribute(NFTA_NAT_REG_PROTO_MIN, network(SECOND)),
      ]),
    ]),
  ]);
}

// ── expressions ──────────────────────────────────────────────────────────────────────────────────────────────────────
/** NFT_REG_1, NFT_REG_2. */
const FIRST = 1;
const SECOND = 2;

const NFTA_PAYLOAD_DREG = 1;
const NFTA_PAYLOAD_BASE = 2;
const NFTA_PAYLOAD_OFFSET = 3;
const NFTA_PAYLOAD_LEN = 4;
const NFT_PAYLOAD_NETWORK_HEADER = 1;
const NFT_PAYLOAD_TRANSPORT_HEADER = 2;
const NFTA_CMP_SREG = 1;
const NFTA_CMP_OP = 2;
const NFTA_CMP_DATA = 3;
const NFT_CMP_EQ = 0;
const NFTA_META_DREG = 1;
const NFTA_META_KEY = 2;
const NFT_META_L4PROTO = 16;
const NFTA_IMMEDIATE_DREG = 1;
const NFTA_IMMEDIATE_DATA = 2;
const NFTA_NAT_TYPE = 1;
const NFTA_NAT_FAMILY = 2;
const NFTA_NAT_REG_ADDR_MIN = 3;
const NFTA_NAT_REG_PROTO_MIN = 5;
const NFT_NAT_DNAT = 1;

function expression(name: string, data: readonly Uint8Array[]): Uint8Array {
  return nested(NFTA_LIST_ELEM, [attribute(NFTA_EXPR_NAME, name), nested(NFTA_EXPR_DATA, data)]);
}

/** Bytes of a header into the first register. */
function payloadAt(base: number, offset: number, size: number): Uint8Array[] {
  return [
    attribute(NFTA_PAYLOAD_DREG, network(FIRST)),
    attribute(NFTA_PAYLOAD_BASE, network(base)),
    attribute(NFTA_PAYLOAD_OFFSET, network(offset)),
    attribute(NFTA_PAYLOAD_LEN, network(size)),
  ];
}

/** The rule goes on when the first register has this. */
function equals(value: Uint8Array): Uint8Array[] {
  return [
    attribute(NFTA_CMP_SREG, network(FIRST)),
    attribute(NFTA_CMP_OP, network(NFT_CMP_EQ)),
    nested(NFTA_CMP_DATA, [attribute(NFTA_DATA_VALUE, value)]),
  ];
}

function immediate(register: number, value: Uint8Array): Uint8Array[] {
  return [
    attribute(NFTA_IMMEDIATE_DREG, network(register)),
    nested(NFTA_IMMEDIATE_DATA, [attribute(NFTA_DATA_VALUE, value)]),
  ];
}

function request(type: number, flags: number, attributes: readonly Uint8Array[]): NetlinkRequest {
  // struct nfgenmsg
  return { type, flags, payload: [Uint8Array.of(NFPROTO_IPV4, 0, 0, 0), ...attributes] };
}

/** 32 bits in network order, as nftables has its numbers. */
function network(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, value);
  return bytes;
}
