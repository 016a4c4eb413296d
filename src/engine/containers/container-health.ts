/** Runs a container's health check while the container runs, and keeps the results. */

import { writeFileSync } from "node:fs";
import { Duplex } from "node:stream";
import { formatDuration } from "../../base/duration.ts";
import { log } from "../../base/log.ts";
import { point } from "../../base/point.ts";
import { SIGKILL } from "../../kernel/signals.ts";
import { AttachFrameDecoder } from "../../spec/attach-frame.ts";
import type { ContainerCreateBody } from "../../spec/engine-api-container.ts";
import type { Exec } from "../execs/exec.ts";
import { ExecClient } from "../execs/exec-client.ts";
import { readText } from "../machine.ts";
import type { ContainerAction } from "./container-events.ts";
import type { ContainerExecs } from "./container-execs.ts";
import { neverRun } from "./container-record.ts";
import {
  afterProbe,
  type Health,
  type HealthCheck,
  healthCheckOf,
  nextProbeMs,
  notProbed,
  type Probe,
} from "./health-check.ts";

export interface HealthSource {
  readonly execs: ContainerExecs;
  readonly body: () => ContainerCreateBody;
  /** No probe is made then: it would not answer. */
  readonly isPaused: () => boolean;
  readonly startedNs: () => string;
  /** The file that keeps the health for the next engine. */
  readonly path: string;
  publish(action: ContainerAction): void;
}

/** How much of a probe's output is kept; Docker's limit. */
const OUTPUT_MAX_BYTES = 4096;

export class ContainerHealth {
  readonly #source: HealthSource;
  #health: Health = notProbed;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Counts `watch` and `stop`: a probe that was begun before the last of them is of an earlier run, and its result is ignored. */
  #generation = 0;
  #isWatching = false;
  /** The exec of the last probe, until its process has ended. */
  #probing: Exec | undefined;

  constructor(source: HealthSource) {
    this.#source = source;
  }

  /** undefined for a container without a health check, or one that never ran. */
  get current(): Health | undefined {
    return healthCheckOf(this.#source.body()) === undefined || this.#source.startedNs() === neverRun.startedNs
      ? undefined
      : this.#health;
  }

  /** While probes are due, the engine must not leave as idle. */
  get isWatching(): boolean {
    return this.#isWatching;
  }

  /** Begins probing. @param isNew the container was started now, not found running */
  watch(isNew: boolean): void {
    const check = healthCheckOf(this.#source.body());
    if (check === undefined) return;
    this.stop();
    this.#isWatching = true;
    this.#health = (isNew ? undefined : this.#read()) ?? notProbed;
    this.#schedule(check, isNew ? 0 : nextProbeMs(check, this.#health));
  }

  /** Ends probing: the container has ended, or the engine leaves. */
  stop(): void {
    this.#generation++;
    this.#isWatching = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #schedule(check: HealthCheck, delayMs: number): void {
    const generation = this.#generation;
    this.#timer = setTimeout(() => {
      this.#probeNow(check, generation).catch((error: unknown) =>
        log("error", "a health check could not be made", error),
      );
    }, delayMs);
  }

  async #probeNow(check: HealthCheck, generation: number): Promise<void> {
    const probe = this.#source.isPaused() ? undefined : await this.#probe(check);
    if (generation !== this.#generation) return;
    if (probe !== undefined) {
      const before = this.#health;
      const startedMs = Number(BigInt(this.#source.startedNs()) / 1_000_000n);
      this.#health = afterProbe(check, before, probe, startedMs);
      point("container.health.found");
      this.#write();
      point("container.health.recorded");
      if (this.#health.status !== before.status) this.#source.publish(`health_status: ${this.#health.status}`);
    }
    this.#schedule(check, nextProbeMs(check, this.#health));
  }

  /** Takes no longer than the check's timeout, whatever the container does. */
  async #probe(check: HealthCheck): Promise<Probe> {
    const { execs } = this.#source;
    const startedMs = Date.now();
    const output = new Output();
    let exec: Exec | undefined;
    let exitCode: number | undefined;
    // Otherwise a container that hangs would get one more process with each interval.
    if (this.#probing !== undefined) {
      const text = `Health check not made: process ${this.#probing.pid} of the last one has not ended`;
      return { startedMs, endedMs: startedMs, exitCode: -1, output: text };
    }
    try {
      exec = execs.create(probeBody(check));
      exec.claim();
      exitCode = await inTime(runOf(exec, output), check.timeoutMs);
      if (exitCode === undefined) {
        exec.signal(SIGKILL);
        output.add(`Health check exceeded timeout (${formatDuration(check.timeoutMs)})`);
      }
    } catch (error) {
      exitCode = exec?.exitCode ?? -1;
      output.add(error instanceof Error ? error.message : String(error));
    } finally {
      const made = exec;
      this.#probing = made;
      if (made !== undefined)
        void made.ended.then(() => {
          if (this.#probing === made) this.#probing = undefined;
          execs.forget(made);
        });
    }
    return { startedMs, endedMs: Date.now(), exitCode: exitCode ?? -1, output: output.text };
  }

  #read(): Health | undefined {
    try {
      const text = readText(this.#source.path);
      return text === undefined ? undefined : (JSON.parse(text) as Health);
    } catch {
      return undefined; // cut off while it was written
    }
  }

  #write(): void {
    try {
      writeFileSync(this.#source.path, JSON.stringify(this.#health), { mode: 0o600 });
    } catch (error) {
      log("warn", "a container's health could not be kept for the next engine", error);
    }
  }
}

function probeBody({ command }: HealthCheck) {
  return {
    Cmd: command,
    AttachStdin: false,
    AttachStdout: true,
    AttachStderr: true,
    Tty: false,
    Env: [],
    User: "",
    WorkingDir: "",
    Privileged: false,
    DetachKeys: "",
    ConsoleSize: [0, 0] as const,
    Detach: false,
  };
}

/** Runs the exec to its end, and reads no more of its output than is kept: the monitor discards the rest. */
async function runOf(exec: Exec, output: Output): Promise<number | undefined> {
  const decoder = new AttachFrameDecoder();
  const client = new Duplex({
    read: () => undefined,
    write(chunk: Uint8Array, _encoding, done) {
      for (const { bytes } of decoder.push(chunk)) output.add(bytes);
      done();
      if (output.isFull) client.destroy();
    },
  });
  await exec.start(new ExecClient(client));
  await exec.ended;
  return exec.exitCode;
}

/** undefined when `work` takes longer than the timeout. */
function inTime<T>(work: Promise<T>, timeoutMs: number): Promise<T | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<T | undefined>();
  const timer = setTimeout(() => resolve(undefined), timeoutMs);
  work.then(resolve, reject).finally(() => clearTimeout(timer));
  return promise;
}

/** The first bytes of a probe's output. */
class Output {
  readonly #chunks: Uint8Array[] = [];
  #left = OUTPUT_MAX_BYTES;

  get isFull(): boolean {
    return this.#left === 0;
  }

  /** Copies the bytes: a subarray would keep the whole chunk in memory. */
  add(what: string | Uint8Array): void {
    const bytes = Buffer.from((typeof what === "string" ? Buffer.from(what) : what).subarray(0, this.#left));
    if (bytes.length === 0) return;
    this.#left -= bytes.length;
    this.#chunks.push(bytes);
  }

  get text(): string {
    return Buffer.concat(this.#chunks).toString();
  }
}
