/** Requests to netd: wishes, which are repeated to a new netd, and questions; and what a refusal means. */

import { OrlopError } from "../base/errors.ts";
import { log } from "../base/log.ts";
import { settleable } from "../base/settleable.ts";
import { type HeldPorts, PortRefused } from "./netd.ts";
import type { NetdRequestKind } from "./netd-frame.ts";
import { findPortHolder } from "./port-holder.ts";
import { lost } from "./start-netd.ts";

/** A request that stays in force until this process withdraws it. */
export interface Wish {
  readonly kind: NetdRequestKind;
  readonly payload: Uint8Array;
  readonly owner: string;
  /** Of HOLD, to explain a refusal. */
  readonly ports: readonly HeldPorts[];
}

/** A wish or question that waits for its answer. */
export interface Pending {
  readonly kind: NetdRequestKind;
  readonly payload: Uint8Array;
  readonly wish?: { readonly key: string; readonly wish: Wish };
  readonly settle: PromiseWithResolvers<Uint8Array>;
}

/** netd's FAILED. */
export interface Refusal {
  readonly errno: string;
  readonly detail: string;
}

/** Why a request was refused, as an error of the caller's terms. @param wishes all current ones: the port may belong to one of them */
export function explainRefusal(
  { kind, wish: wanted }: Pending,
  { errno, detail }: Refusal,
  wishes: Iterable<Wish>,
): OrlopError | PortRefused {
  const [entry = 0, port = 0] = detail.split(" ").map(Number);
  const ports = wanted?.wish.ports[entry];
  if (ports !== undefined) return portRefused(ports, port, errno, wishes);
  if (kind !== "RESOLVER" && kind !== "NAMES") return lost(`netd refuses ${kind}: ${errno}`);
  return OrlopError.of("resolver_refused", { owner: wanted?.wish.owner ?? "", errno });
}

function portRefused(ports: HeldPorts, port: number, errno: string, wishes: Iterable<Wish>): PortRefused {
  const holder = errno === "EADDRINUSE" ? (ownerOf(ports, port, wishes) ?? findPortHolder(ports, port)) : undefined;
  return new PortRefused(ports, port, errno, holder);
}

/** The owner of the wish that has this port. */
function ownerOf(wanted: HeldPorts, port: number, wishes: Iterable<Wish>): { readonly owner: string } | undefined {
  for (const { owner, ports } of wishes) if (ports.some((held) => isInTheWay(held, wanted, port))) return { owner };
  return undefined;
}

function isInTheWay(held: HeldPorts, wanted: HeldPorts, port: number): boolean {
  const isAny = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0);
  if (held.protocol !== wanted.protocol || held.address.length !== wanted.address.length) return false;
  if (port < held.first || port > held.last) return false;
  return isAny(held.address) || isAny(wanted.address) || Buffer.compare(held.address, wanted.address) === 0;
}

/** Repeats a wish to a new netd. */
export function againOf(key: string, wish: Wish): Pending {
  const settle = settleable<Uint8Array>();
  settle.promise.catch((error: unknown) => log("error", `netd lost what ${wish.owner} had`, error));
  return { kind: wish.kind, payload: wish.payload, wish: { key, wish }, settle };
}
