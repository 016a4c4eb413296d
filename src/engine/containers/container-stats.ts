/** What a container uses, looked at once or every second. */

import { readlinkSync } from "node:fs";
import { type GroupUsage, readUsage } from "../../kernel/cgroup/usage.ts";
import {
  type InterfaceCounters,
  type MachineCpu,
  parseInterfaces,
  parseMachineCpu,
} from "../../kernel/proc-counters.ts";
import { type Machine, readText } from "../machine.ts";
import type { Container } from "./container.ts";
import { groupPathOfRecord } from "./container-record.ts";

export interface Sample {
  /** Unix time. */
  readonly timeMs: number;
  readonly usage: GroupUsage;
  readonly machineCpu: MachineCpu;
  /** undefined with the host's network: what goes on there is not the container's alone. */
  readonly interfaces: Readonly<Record<string, InterfaceCounters>> | undefined;
}

/** Two looks, of which rates are made; undefined: it does not run, or was not looked at yet. */
export interface StatsFrame {
  readonly before: Sample | undefined;
  readonly now: Sample | undefined;
}

export interface StatsQuery {
  /** Every second, until the container is removed; else one frame. */
  readonly stream: boolean;
  /** One frame at once, without a look before. */
  readonly oneShot: boolean;
}

const PERIOD_MS = 1000;

/** Ends when `signal` is aborted. */
export async function* watchStats(
  container: Container,
  machine: Machine,
  query: StatsQuery,
  signal: AbortSignal,
): AsyncGenerator<StatsFrame, void> {
  let before: Sample | undefined;
  if (!query.stream && !query.oneShot) {
    before = sample(container, machine);
    if (before !== undefined) await pause(PERIOD_MS, signal);
  }
  for (let dueMs = performance.now() + PERIOD_MS; !signal.aborted; dueMs += PERIOD_MS) {
    if (container.status === "removing") return;
    const now = sample(container, machine);
    yield { before, now };
    if (!query.stream) return;
    before = now;
    // A reader that was slow gets the next look when it is due, not all that it missed.
    if (dueMs < performance.now()) dueMs = performance.now();
    await pause(dueMs - performance.now(), signal);
  }
}

function sample(container: Container, machine: Machine): Sample | undefined {
  if (!container.isRunning) return undefined;
  const usage = readUsage(machine.cgroups, groupPathOfRecord(container.record), readText);
  if (usage === undefined) return undefined;
  return {
    timeMs: Date.now(),
    usage,
    machineCpu: parseMachineCpu(readText("/proc/stat") ?? ""),
    interfaces: interfacesOf(container.run.pid),
  };
}

/** Those of the namespace that its first process is in. */
function interfacesOf(pid: number): Record<string, InterfaceCounters> | undefined {
  try {
    if (readlinkSync(`/proc/${pid}/ns/net`) === readlinkSync("/proc/self/ns/net")) return undefined;
  } catch {
    return undefined; // it has just ended
  }
  return parseInterfaces(readText(`/proc/${pid}/net/dev`) ?? "");
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}
