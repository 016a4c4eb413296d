/** A container's start as a plan: OCI specification in, steps out. Pure: no I/O, no clock. */

import type { CgroupLayout } from "../kernel/cgroup/layout.ts";
import type { RootSource } from "../kernel/root-source.ts";
import type { Step } from "../kernel/step.ts";
import type { RuntimeSpec } from "../spec/runtime-spec.ts";

/** What the kernel and the supervisor are like: the engine reads these once. */
export interface HostFacts {
  /** The kernel has time namespaces (5.6). */
  readonly timeNamespaces: boolean;
  /** oom_score_adj that every container inherits from the supervisor. */
  readonly oomScoreAdj: number;
  readonly architecture: "x86_64" | "aarch64";
}

/** What the monitor does for the container, see the steps of these names. */
export interface MonitorInput {
  /** Listens for control and attach connections. */
  readonly socketPath: string;
  readonly exitRecord: { readonly path: string; readonly sync: boolean };
  readonly log:
    | {
        readonly driver: "json-file" | "local";
        readonly path: string;
        readonly maxSizeBytes: number;
        readonly maxFiles: number;
        readonly dropWhenSlow: boolean;
      }
    | undefined;
  /** Which of stdin, stdout and stderr get pipes; ignored with `process.terminal`. */
  readonly streams: { readonly stdin: boolean; readonly stdout: boolean; readonly stderr: boolean };
  /** Keep standard input open when a client half-closes (docker's StdinOnce = false). */
  readonly keepStdin: boolean;
}

export interface ContainerPlanInput {
  readonly id: string;
  readonly spec: RuntimeSpec;
  readonly root: RootSource;
  readonly cgroups: CgroupLayout;
  readonly monitor: MonitorInput;
  readonly host: HostFacts;
  /** Steps for the container's own network namespace, e.g. the loopback link. */
  readonly network: readonly Step[];
  /** Files below the root that the engine writes at each start: /etc/hosts, /etc/hostname, resolv.conf. */
  readonly files: readonly {
    readonly path: string;
    readonly mode: number;
    readonly content: string;
    readonly why: string;
  }[];
  /** Wait for GO before the program runs. */
  readonly gate: boolean;
}

export type PlanContainer = (input: ContainerPlanInput) => Step[];
