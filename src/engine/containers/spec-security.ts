/** What a container's program may do: capabilities, seccomp, no_new_privileges, hidden paths. Pure. */

import { OrlopError } from "../../base/errors.ts";
import { capabilityMask, containerCapabilities, parseCapability } from "../../kernel/capabilities.ts";
import { defaultSeccomp } from "../../kernel/seccomp/default-profile.ts";
import { protectedPaths } from "../../runtime/default-spec.ts";
import { type ProfileFacts, parseDockerSeccomp } from "../../spec/docker-seccomp.ts";
import type { HostConfig } from "../../spec/engine-api-host-config.ts";
import type { CapabilitySets, Linux } from "../../spec/runtime-spec.ts";
import type { Seccomp } from "../../spec/seccomp.ts";
import type { Machine } from "../machine.ts";

export interface Security {
  readonly capabilities: CapabilitySets;
  readonly noNewPrivileges: boolean;
  readonly seccomp: Seccomp | undefined;
  /** Nothing is hidden or read-only (systempaths=unconfined). */
  readonly openPaths: boolean;
}

type SecurityMachine = Pick<Machine, "lastCapability" | "kernelRelease" | "host">;

/** @throws {OrlopError} unknown_capability, capability_unsupported, capability_missing, bad_value, unknown_field */
export function securityOf(host: HostConfig, uid: number, machine: SecurityMachine): Security {
  const capabilities = containerCapabilities({
    add: host.CapAdd,
    drop: host.CapDrop,
    privileged: host.Privileged,
    last: machine.lastCapability,
  });
  const asked = host.CapAdd.filter((name) => name.toUpperCase() !== "ALL").map(parseCapability);
  const lacking = asked.find((name) => (capabilityMask([name]) & machine.host.capabilities) === 0n);
  if (lacking !== undefined) throw OrlopError.of("capability_missing", { name: lacking });
  const options = parseSecurityOptions(host.SecurityOpt);
  // Another user than root keeps the bounding set alone: a set-user-ID program can get these back, nothing else can.
  const held = uid === 0 ? capabilities : [];
  return {
    capabilities: { bounding: capabilities, effective: held, permitted: held, inheritable: [], ambient: [] },
    noNewPrivileges: options.noNewPrivileges,
    seccomp: seccompOf(options.seccomp ?? (host.Privileged ? "unconfined" : "builtin"), capabilities, machine),
    openPaths: options.openPaths,
  };
}

interface SecurityOptions {
  /** Options for security modules, as written. */
  readonly policies: readonly Policy[];
  readonly noNewPrivileges: boolean;
  /** "unconfined", "builtin" or a profile's JSON. */
  readonly seccomp: string | undefined;
  readonly openPaths: boolean;
}

interface Policy {
  readonly module: "apparmor" | "selinux";
  readonly option: string;
}

/** Docker's SecurityOpt; the old syntax has ":" instead of "=". */
export function parseSecurityOptions(options: readonly string[]): SecurityOptions {
  let parsed: SecurityOptions = { noNewPrivileges: false, seccomp: undefined, openPaths: false, policies: [] };
  for (const option of options) {
    const [, key = "", value = ""] = /^([a-z-]+)(?:[=:]([\s\S]*))?$/.exec(option) ?? [];
    if (key === "no-new-privileges" && ["", "true", "false"].includes(value))
      parsed = { ...parsed, noNewPrivileges: value !== "false" };
    else if (key === "seccomp" && value !== "") parsed = { ...parsed, seccomp: value };
    else if (key === "systempaths" && value === "unconfined") parsed = { ...parsed, openPaths: true };
    // Orlop has no AppArmor or SELinux policy, so there is nothing to switch off.
    else if ((key === "apparmor" && value === "unconfined") || (key === "label" && value === "disable")) continue;
    else if ((key === "apparmor" || key === "label") && value !== "")
      parsed = {
        ...parsed,
        policies: [...parsed.policies, { module: key === "label" ? "selinux" : key, option: option.slice(0, 100) }],
      };
    else throw refusal(option, key);
  }
  return parsed;
}

/**
 * Warnings about options for security modules that the machine does not have.
 *
 * @throws {OrlopError} unknown_field for a module that the machine has, because Orlop does not support its policies
 */
export function policyWarnings(
  { SecurityOpt }: HostConfig,
  { securityModules }: Pick<Machine, "securityModules">,
): string[] {
  return parseSecurityOptions(SecurityOpt).policies.map(({ module, option }) => {
    if (securityModules.includes(module))
      throw OrlopError.of("unknown_field", { field: `HostConfig.SecurityOpt ${JSON.stringify(option)}` });
    return `This machine has no ${moduleNames[module]}: the security option ${option} does nothing.`;
  });
}

const moduleNames = { apparmor: "AppArmor", selinux: "SELinux" } as const;

/** Whether the request has a seccomp profile of its own (neither the default nor none). */
export function hasOwnFilter({ SecurityOpt }: HostConfig): boolean {
  const { seccomp = "builtin" } = parseSecurityOptions(SecurityOpt);
  return seccomp !== "builtin" && seccomp !== "unconfined";
}

function refusal(option: string, key: string): OrlopError {
  if (["writable-cgroups", "credentialspec"].includes(key))
    return OrlopError.of("unknown_field", { field: `HostConfig.SecurityOpt ${JSON.stringify(option.slice(0, 100))}` });
  return OrlopError.of("bad_security_option", { option: option.slice(0, 100) });
}

/** One profile object for each set of capabilities, because the compiled program is cached by the object. */
const defaults = new Map<string, Seccomp>();

function seccompOf(option: string, capabilities: readonly string[], machine: SecurityMachine): Seccomp | undefined {
  if (option === "unconfined") return undefined;
  const held = new Set(capabilities);
  const arch = machine.host.architecture;
  if (option === "builtin") {
    const key = capabilities.join();
    const profile = defaults.get(key) ?? defaultSeccomp({ capabilities: held, arch });
    defaults.set(key, profile);
    return profile;
  }
  return parseDockerSeccomp(option, { capabilities: held, machine: arch, kernel: versionOf(machine.kernelRelease) });
}

function versionOf(release: string): ProfileFacts["kernel"] {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(release) ?? [];
  return { major: Number(major), minor: Number(minor) };
}

/** As in `inspect`; null for a privileged container, which has none. */
export function shownPathsOf(
  host: HostConfig,
  machine: Pick<Machine, "facts">,
): { readonly MaskedPaths: readonly string[] | null; readonly ReadonlyPaths: readonly string[] | null } {
  const { maskedPaths = [], readonlyPaths = [] } = host.Privileged ? {} : protectedPaths(machine.facts);
  return {
    MaskedPaths: host.MaskedPaths ?? (host.Privileged ? null : maskedPaths),
    ReadonlyPaths: host.ReadonlyPaths ?? (host.Privileged ? null : readonlyPaths),
  };
}

/** The paths to hide and to make read-only: the request's, else the defaults (none for privileged containers). */
export function protectedPathsOf(
  host: HostConfig,
  defaults: Linux,
  open: boolean,
): Pick<Linux, "maskedPaths" | "readonlyPaths"> {
  if (open) return { maskedPaths: [], readonlyPaths: [] };
  return {
    maskedPaths: host.MaskedPaths ?? defaults.maskedPaths ?? [],
    readonlyPaths: host.ReadonlyPaths ?? defaults.readonlyPaths ?? [],
  };
}
