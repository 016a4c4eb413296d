/** Sysctls of namespaces; all others are the host's, and no container may set them. */

import { OrlopError } from "../base/errors.ts";
import type { Step } from "../kernel/step.ts";
import type { Linux, NamespaceType } from "../spec/runtime-spec.ts";
import { isNew } from "./plan-namespaces.ts";

/** Which namespace a setting is part of (namespaces(7), ipc_namespaces(7), network_namespaces(7)), by its path in /proc/sys. */
const owners: readonly (readonly [pattern: RegExp, type: NamespaceType])[] = [
  [/^net\//, "network"],
  [/^fs\/mqueue\//, "ipc"],
  [/^kernel\/(msgmax|msgmnb|msgmni|sem|shmall|shmmax|shmmni|shm_rmid_forced)$/, "ipc"],
  [/^kernel\/(hostname|domainname)$/, "uts"],
];

/**
 * @param sandboxPath a network namespace that is the container's own although it joins it
 * @throws {OrlopError} bad_value for a setting that is not of one of the container's own namespaces
 */
export function planSysctls(linux: Linux, sandboxPath?: string): Step[] {
  const isOwn = (type: NamespaceType): boolean =>
    isNew(linux, type) ||
    (linux.namespaces ?? []).some((one) => one.type === type && one.path !== undefined && one.path === sandboxPath);
  return Object.entries(linux.sysctl ?? {}).map(([key, value]) => {
    const path = pathOf(key);
    const owner = owners.find(([pattern]) => pattern.test(path))?.[1];
    const strange = path.split("/").some((part) => part === "" || part === "." || part === "..");
    if (owner === undefined || strange) throw refusal(key, "a setting of the network, IPC or UTS namespace");
    if (!isOwn(owner)) throw refusal(key, `a new ${owner} namespace to set it in`);
    return { op: "sysctl", key: path, value, why: reasons[path] ?? `${key} was asked for` };
  });
}

/** As in sysctl(8): the separator that comes first separates, and the other one stands for it in a name (eth0/1 is eth0.1). */
function pathOf(key: string): string {
  if (/^[^.]*\//.test(key)) return key;
  return key.replaceAll(/[./]/g, (separator) => (separator === "." ? "/" : "."));
}

function refusal(key: string, expected: string): OrlopError {
  return OrlopError.of("bad_value", { what: "sysctl", value: key, expected });
}

const reasons: Readonly<Record<string, string>> = {
  "net/ipv4/ip_unprivileged_port_start": "any of its users may listen on port 80: the ports are its own",
  "net/ipv4/ping_group_range": "any of its users may ping without a privilege",
};
