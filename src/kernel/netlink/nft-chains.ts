/** Chains and rules of others: listed, and rules of ours put at the beginning of one, tagged, so that they can be taken out again. */

import { attributesOf, messagesOf, textOf, viewOf } from "./list.ts";
import { attribute, encodeRequests, type NetlinkRequest, NLM_F_CREATE, nested } from "./message.ts";
import { accept, expression, isEqual, loadMeta } from "./nft-expressions.ts";

const NFT_MSG_NEWCHAIN = 0x0a03;
const NFT_MSG_GETCHAIN = 0x0a04;
const NFT_MSG_NEWRULE = 0x0a06;
const NFT_MSG_GETRULE = 0x0a07;
const NFT_MSG_DELRULE = 0x0a08;

const NFTA_CHAIN_TABLE = 1;
const NFTA_CHAIN_NAME = 3;
const NFTA_CHAIN_HOOK = 4;
const NFTA_CHAIN_POLICY = 5;
const NFTA_HOOK_HOOKNUM = 1;
const NFTA_RULE_TABLE = 1;
const NFTA_RULE_CHAIN = 2;
const NFTA_RULE_HANDLE = 3;
const NFTA_RULE_EXPRESSIONS = 4;
const NFTA_RULE_USERDATA = 7;
/** In userdata: type, length, text with its NUL. `nft` and iptables show it as the rule's comment. */
const UDATA_COMMENT = 0;
const NF_DROP = 0;

/** NFPROTO_*, of the tables that can have a forward hook. */
export const families = { inet: 1, ip: 2, ip6: 10 } as const;
export type Family = keyof typeof families;
const hooks = ["prerouting", "input", "forward", "output", "postrouting"] as const;

export interface Chain {
  readonly family: Family;
  readonly table: string;
  readonly name: string;
  /** undefined: a chain that others jump to. */
  readonly hook: (typeof hooks)[number] | undefined;
  readonly drops: boolean;
}

/** A rule, by what is needed to find it again. */
export interface RuleHandle {
  readonly handle: Uint8Array;
  /** "" for none. */
  readonly comment: string;
}

/** Lists every chain of every family. */
export function listChains(): Uint8Array {
  return encodeRequests([{ type: NFT_MSG_GETCHAIN, payload: [Uint8Array.of(0, 0, 0, 0)] }]);
}

export function parseChains(list: Uint8Array): Chain[] {
  return messagesOf(list, NFT_MSG_NEWCHAIN).flatMap((body): Chain[] => {
    const family = (Object.keys(families) as Family[]).find((name) => families[name] === body[0]);
    if (family === undefined) return [];
    const attributes = attributesOf(body.subarray(4));
    const hook = attributesOf(attributes.get(NFTA_CHAIN_HOOK) ?? new Uint8Array()).get(NFTA_HOOK_HOOKNUM);
    const policy = attributes.get(NFTA_CHAIN_POLICY);
    return [
      {
        family,
        table: textOf(attributes.get(NFTA_CHAIN_TABLE)),
        name: textOf(attributes.get(NFTA_CHAIN_NAME)),
        hook: hook === undefined ? undefined : hooks[viewOf(hook).getUint32(0)],
        drops: policy !== undefined && viewOf(policy).getUint32(0) === NF_DROP,
      },
    ];
  });
}

type ChainName = Pick<Chain, "family" | "table" | "name">;

/** @param chain without a name: those of the whole table */
export function listRules(chain: Omit<ChainName, "name"> & { readonly name?: string }): Uint8Array {
  return encodeRequests([{ type: NFT_MSG_GETRULE, payload: startOf(chain) }]);
}

export function parseRules(list: Uint8Array): RuleHandle[] {
  return messagesOf(list, NFT_MSG_NEWRULE).map((body) => {
    const attributes = attributesOf(body.subarray(4));
    return {
      handle: attributes.get(NFTA_RULE_HANDLE) ?? new Uint8Array(8),
      comment: commentOf(attributes.get(NFTA_RULE_USERDATA) ?? new Uint8Array()),
    };
  });
}

function commentOf(userdata: Uint8Array): string {
  for (let at = 0; at + 2 <= userdata.length; at += 2 + (userdata[at + 1] ?? 0)) {
    if (userdata[at] === UDATA_COMMENT) return textOf(userdata.subarray(at + 2, at + 2 + (userdata[at + 1] ?? 0)));
  }
  return "";
}

/** A link's name, or how it begins. */
export interface LinkMatch {
  readonly name: string;
  readonly isPrefix: boolean;
}

/** What a rule lets pass. */
export interface Passage {
  readonly from?: LinkMatch;
  readonly to?: LinkMatch;
}

/** Puts a rule at the chain's beginning, in the form that iptables gives its own, so that it can show it. */
export function insertAccept(chain: ChainName, { from, to }: Passage, comment: string): NetlinkRequest {
  const text = new TextEncoder().encode(`${comment}\0`);
  return {
    type: NFT_MSG_NEWRULE,
    flags: NLM_F_CREATE,
    payload: [
      ...startOf(chain),
      nested(NFTA_RULE_EXPRESSIONS, [
        ...(from === undefined ? [] : [loadMeta("iifname"), isEqual(linkBytes(from))]),
        ...(to === undefined ? [] : [loadMeta("oifname"), isEqual(linkBytes(to))]),
        expression("counter", []),
        accept(),
      ]),
      attribute(NFTA_RULE_USERDATA, Uint8Array.of(UDATA_COMMENT, text.length, ...text)),
    ],
  };
}

export function deleteRule(chain: ChainName, { handle }: RuleHandle): NetlinkRequest {
  return { type: NFT_MSG_DELRULE, payload: [...startOf(chain), attribute(NFTA_RULE_HANDLE, handle)] };
}

function startOf({ family, table, name }: Parameters<typeof listRules>[0]): Uint8Array[] {
  // struct nfgenmsg
  return [
    Uint8Array.of(families[family], 0, 0, 0),
    attribute(NFTA_RULE_TABLE, table),
    ...(name === undefined ? [] : [attribute(NFTA_RULE_CHAIN, name)]),
  ];
}

/** A whole name ends with its NUL. */
function linkBytes({ name, isPrefix }: LinkMatch): Uint8Array {
  return new TextEncoder().encode(isPrefix ? name : `${name}\0`);
}
