/** Kernel settings that belong to a namespace; the others are the host's and no container may set them. */

import { OrlopError } from "../base/errors.ts";
import type { Step } from "../kernel/step.ts";
import type { Linux, NamespaceType } from "../spec/runtime-spec.ts";
import { isNew } from "./plan-namespaces.ts";

/** Which namespace a setting is part of (namespaces(7), ipc_namespaces(7), network_namespaces(7)). */
const owners: readonly (readonly [pattern: RegExp, type: NamespaceType])[] = [
  [/^net\./, "network"],
  [/^fs\.mqueue\./, "ipc"],
  [/^kernel\.(msgmax|msgmnb|msgmni|sem|shmall|shmmax|shmmni|shm_rmid_forced)$/, "ipc"],
  [/^kernel\.(hostname|domainname)$/, "uts"],
];

/** @throws {OrlopError} bad_value for a setting that is not of one of the container's new namespaces */
export function planSysctls(linux: Linux): Step[] {
  return Object.entries(linux.sysctl ?? {}).map(([key, value]) => {
    const dotted = key.includes("/") ? key.replaceAll(".", "\0").replaceAll("/", ".").replaceAll("\0", "/") : key;
    const owner = owners.find(([pattern]) => pattern.test(dotted))?.[1];
    if (owner === undefined || !isNew(linux, owner) || dotted.includes(".."))
      throw OrlopError.of("bad_value", {
        what: "sysctl",
        value: key,
        expected:
          owner === undefined
            ? "a setting of the network, IPC or UTS namespace"
            : `a new ${owner} namespace to set it in`,
      });
    // Dots separate, and a slash stands for a dot in a name (net.ipv4.conf.eth0/1.forwarding), as sysctl(8) has it.
    const path = dotted.replaceAll("/", "\0").replaceAll(".", "/").replaceAll("\0", ".");
    return { op: "sysctl", key: path, value, why: sysctlReasons[dotted] ?? `${dotted} was asked for` };
  });
}

const sysctlReasons: Readonly<Record<string, string>> = {
  "net.ipv4.ip_unprivileged_port_start": "any of its users may listen on port 80: the ports are its own",
  "net.ipv4.ping_group_range": "any of its users may ping without a privilege",
};
