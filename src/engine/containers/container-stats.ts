/** A container's resource usage, once or every second. */

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
  /** undefined with the host's network, whose traffic is not the container's alone. */
  readonly interfaces: Readonly<Record<string, InterfaceCounters>> | undefined;
}

/** Two samples, from which clients compute rates; undefined: the container did not run, or there is no earlier sample. */
export interface StatsFrame {
  readonly before: Sample | undefined;
  readonly now: Sample | undefined;
}

export interface StatsQuery {
  /** A frame every second until the container is removed, instead of a single one. */
  readonly stream: boolean;
  /** The single frame at once, without an earlier sample to compute rates from. */
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
    // A slow reader gets the next frame when that is due, not those that it missed.
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

/** Of the network namespace of the first process. */
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
