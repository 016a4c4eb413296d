/** `-p` and `--expose` as the API's tables of ports. */
import { OrlopError } from "../base/errors.ts";
import { parseAddress } from "../base/ip-address.ts";
import type { PortBinding } from "../client/container-types.ts";

export interface PublishedPorts {
  readonly exposed: Readonly<Record<string, Record<string, never>>>;
  readonly bindings: Readonly<Record<string, readonly PortBinding[]>>;
}

interface Range {
  readonly first: number;
  readonly last: number;
}

/** @throws {OrlopError} bad_value */
export function parsePublished(publish: readonly string[], expose: readonly string[]): PublishedPorts {
  const bindings: Record<string, PortBinding[]> = {};
  const exposed: Record<string, Record<string, never>> = {};
  for (const text of expose) {
    const { range, protocol } = parseContainerRange(text, "--expose", text);
    for (let port = range.first; port <= range.last; port++) exposed[`${port}/${protocol}`] = {};
  }
  for (const text of publish)
    for (const [key, binding] of parsePublish(text)) {
      exposed[key] = {};
      bindings[key] ??= [];
      bindings[key].push(binding);
    }
  return { exposed, bindings };
}

/** "[[ADDRESS:]HOST:]CONTAINER[/PROTOCOL]", where both ports may be ranges of the same length. */
function parsePublish(text: string): (readonly [key: string, binding: PortBinding])[] {
  const match = /^(?:(\[[^\]]*\]|[^:]*):)??(?:([^:]*):)?([^:]+)$/.exec(text);
  const refuse = (): OrlopError =>
    OrlopError.of("bad_value", {
      what: "--publish",
      value: text,
      expected: "[[ADDRESS:]PORT:]PORT[/PROTOCOL], the machine's port first, both up to 65535",
    });
  if (match === null) throw refuse();
  const [, bracketed = "", hostText = "", containerText = ""] = match;
  const address = bracketed.replace(/^\[(.*)\]$/, "$1");
  if (address !== "" && parseAddress(address) === undefined) throw refuse();
  const { range, protocol } = parseContainerRange(containerText, "--publish", text);
  const host = hostText === "" ? undefined : parseRange(hostText);
  if (hostText !== "" && host === undefined) throw refuse();
  const count = range.last - range.first;
  const isAnyOf = host !== undefined && count === 0 && host.last > host.first;
  if (host !== undefined && !isAnyOf && host.last - host.first !== count)
    throw OrlopError.of("bad_value", { what: "--publish", value: text, expected: "ranges of the same length" });
  return Array.from({ length: count + 1 }, (_, at) => {
    const HostPort = host === undefined ? "" : isAnyOf ? hostText : String(host.first + at);
    const binding = { ...(address === "" ? {} : { HostIp: address }), HostPort };
    return [`${range.first + at}/${protocol}`, binding] as const;
  });
}

function parseContainerRange(text: string, flag: string, whole: string) {
  const [ports = "", protocol = "tcp", ...more] = text.split("/");
  const range = parseRange(ports);
  if (range === undefined || range.first === 0 || more.length > 0 || !/^(tcp|udp|sctp)$/i.test(protocol))
    throw OrlopError.of("bad_value", { what: flag, value: whole, expected: "a port such as 80, 53/udp or 8000-8010" });
  return { range, protocol: protocol.toLowerCase() };
}

function parseRange(text: string): Range | undefined {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  if (match === null) return undefined;
  const first = Number(match[1]);
  const last = match[2] === undefined ? first : Number(match[2]);
  return last > 65_535 || last < first ? undefined : { first, last };
}
