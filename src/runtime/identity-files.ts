/** /etc/hostname and /etc/hosts as a container needs them: its own name, and localhost. */

import { OrlopError } from "../base/errors.ts";
import type { OwnFile } from "./plan-own-files.ts";

export interface Identity {
  readonly hostname: string;
  readonly domainname?: string;
  /** Where the own name leads; loopback while the container has no other network. */
  readonly address: string;
  /** `--add-host`, e.g. ["db", "10.0.0.2"]. */
  readonly extraHosts: readonly (readonly [name: string, address: string])[];
}

/** @throws {OrlopError} bad_value for control characters or blanks, which would begin another line or field */
export function identityFiles({ hostname, domainname, address, extraHosts }: Identity): OwnFile[] {
  const names = domainname ? [`${hostname}.${domainname}`, hostname] : [hostname];
  const lines = [
    ["127.0.0.1", "localhost"],
    ["::1", "localhost", "ip6-localhost", "ip6-loopback"],
    ["fe00::0", "ip6-localnet"],
    ["ff00::0", "ip6-mcastprefix"],
    ["ff02::1", "ip6-allnodes"],
    ["ff02::2", "ip6-allrouters"],
    ...extraHosts.map(([name, to]) => [to, name]),
    [address, ...names],
  ];
  return [
    {
      path: "/etc/hosts",
      mode: 0o644,
      content: hostLines(lines),
      why: "its own name leads to itself",
    },
    {
      path: "/etc/hostname",
      mode: 0o644,
      content: `${hostname}\n`,
      why: "its own name, for programs that read the file",
    },
  ];
}

/** @throws {OrlopError} bad_value */
export function hostLines(lines: readonly (readonly string[])[]): string {
  for (const word of lines.flat()) checkWord(word);
  return lines.map(([to, ...rest]) => `${to}\t${rest.join(" ")}\n`).join("");
}

function checkWord(word: string): void {
  if (/^[\x21-\x7e]+$/.test(word) && !word.startsWith("#")) return;
  throw OrlopError.of("bad_value", {
    what: "name or address",
    value: word,
    expected: "one word without control characters",
  });
}
