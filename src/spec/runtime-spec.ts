/**
 * The OCI runtime specification's config.json, as far as Orlop carries it out: types, with the specification's spelling.
 * `runtime-spec-parse.ts` turns a document into these, refusing by name what is not here.
 *
 * @see https://github.com/opencontainers/runtime-spec/blob/v1.2.0/config.md
 */

import type { Seccomp } from "./seccomp.ts";

export interface RuntimeSpec {
  readonly ociVersion: string;
  readonly process: Process;
  readonly root?: Root;
  readonly hostname?: string;
  readonly domainname?: string;
  /** In this order. */
  readonly mounts?: readonly Mount[];
  readonly annotations?: Readonly<Record<string, string>>;
  readonly linux?: Linux;
}

export interface Root {
  /** Where the root file system is; Orlop's engine leaves it "" and hands over a root source instead. */
  readonly path: string;
  readonly readonly?: boolean;
}

export interface Process {
  readonly terminal?: boolean;
  readonly consoleSize?: { readonly height: number; readonly width: number };
  readonly user: User;
  readonly args: readonly string[];
  readonly env?: readonly string[];
  readonly cwd: string;
  readonly capabilities?: CapabilitySets;
  readonly rlimits?: readonly Rlimit[];
  readonly noNewPrivileges?: boolean;
  readonly oomScoreAdj?: number;
}

export interface User {
  readonly uid: number;
  readonly gid: number;
  readonly umask?: number;
  readonly additionalGids?: readonly number[];
}

/** Names as "CAP_CHOWN". */
export interface CapabilitySets {
  readonly bounding?: readonly string[];
  readonly effective?: readonly string[];
  readonly permitted?: readonly string[];
  readonly inheritable?: readonly string[];
  readonly ambient?: readonly string[];
}

/** Type as "RLIMIT_NOFILE"; 2^64-1 is unlimited, given as -1 or as a number too large to be exact. */
export interface Rlimit {
  readonly type: string;
  readonly soft: number;
  readonly hard: number;
}

export interface Mount {
  readonly destination: string;
  /** "bind" or "" with a bind option, else a file system's name. */
  readonly type?: string;
  readonly source?: string;
  readonly options?: readonly string[];
}

/** Orlop's own addition, never read from a config.json. */
export interface MountBelow extends Mount {
  /** Of a bind: a path below the source, resolved in it. */
  readonly subpath?: string;
  /** Of a bind: what the source is covered with first: a read-only view of these directories, the topmost first. */
  readonly lowers?: readonly string[];
}

export type NamespaceType = "mount" | "pid" | "network" | "ipc" | "uts" | "user" | "cgroup" | "time";

export interface Namespace {
  readonly type: NamespaceType;
  /** Join this one instead of making a new one. */
  readonly path?: string;
}

export interface IdMapping {
  readonly containerID: number;
  readonly hostID: number;
  readonly size: number;
}

/** c and u: character, b: block, p: FIFO. */
export interface Device {
  readonly type: "c" | "b" | "u" | "p";
  readonly path: string;
  readonly major?: number;
  readonly minor?: number;
  /** Permission bits. */
  readonly fileMode?: number;
  readonly uid?: number;
  readonly gid?: number;
}

/** A missing major or minor means every one. */
export interface DeviceRule {
  readonly allow: boolean;
  readonly type?: "a" | "b" | "c";
  readonly major?: number;
  readonly minor?: number;
  /** Letters of "rwm". */
  readonly access?: string;
}

export interface Resources {
  readonly devices?: readonly DeviceRule[];
  readonly memory?: MemoryLimits;
  readonly cpu?: CpuLimits;
  readonly pids?: { readonly limit: number };
  readonly blockIO?: BlockIo;
}

interface DeviceNumbers {
  readonly major: number;
  readonly minor: number;
}

type DeviceRate = DeviceNumbers & { readonly rate: number };

export interface BlockIo {
  /** 10 to 1000. */
  readonly weight?: number;
  readonly weightDevice?: readonly (DeviceNumbers & { readonly weight: number })[];
  /** Bytes and operations a second. */
  readonly throttleReadBpsDevice?: readonly DeviceRate[];
  readonly throttleWriteBpsDevice?: readonly DeviceRate[];
  readonly throttleReadIOPSDevice?: readonly DeviceRate[];
  readonly throttleWriteIOPSDevice?: readonly DeviceRate[];
}

/** Bytes; -1 is unlimited. */
export interface MemoryLimits {
  readonly limit?: number;
  readonly reservation?: number;
  /** Memory and swap together, as cgroup v1 counts. */
  readonly swap?: number;
  /** 0 to 100; cgroup v1 only. */
  readonly swappiness?: number;
  /** cgroup v1 only. */
  readonly disableOOMKiller?: boolean;
}

export interface CpuLimits {
  /** 2 to 262144, 1024 is everybody's default. */
  readonly shares?: number;
  /** Microseconds per period; -1 is unlimited. */
  readonly quota?: number;
  /** Microseconds. */
  readonly period?: number;
  /** A list such as "0-2,7". */
  readonly cpus?: string;
  readonly mems?: string;
}

export interface Linux {
  readonly namespaces?: readonly Namespace[];
  readonly uidMappings?: readonly IdMapping[];
  readonly gidMappings?: readonly IdMapping[];
  readonly devices?: readonly Device[];
  readonly cgroupsPath?: string;
  readonly resources?: Resources;
  readonly sysctl?: Readonly<Record<string, string>>;
  readonly seccomp?: Seccomp;
  readonly maskedPaths?: readonly string[];
  readonly readonlyPaths?: readonly string[];
  /** Of the root mount. */
  readonly rootfsPropagation?: "private" | "slave" | "shared" | "unbindable" | "rprivate" | "rslave" | "rshared";
}
