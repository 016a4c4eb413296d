/** A container's health: probes while it runs, and what they found. */

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
  /** It stands still, and would not answer. */
  readonly isPaused: () => boolean;
  readonly startedNs: () => string;
  /** Where it is kept for the next engine. */
  readonly path: string;
  tell(action: ContainerAction): void;
}

/** As much of a probe's output is kept (Docker's). */
const OUTPUT_MAX_BYTES = 4096;

export class ContainerHealth {
  readonly #source: HealthSource;
  #health: Health = notProbed;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Each start and each end makes what is under way another run's. */
  #run = 0;
  #isWatching = false;
  /** Of the last probe, until its process has ended. */
  #probing: Exec | undefined;

  constructor(source: HealthSource) {
    this.#source = source;
  }

  /** undefined: nobody asked for it, or it never ran. */
  get current(): Health | undefined {
    return healthCheckOf(this.#source.body()) === undefined || this.#source.startedNs() === neverRun.startedNs
      ? undefined
      : this.#health;
  }

  /** Probes are made: this engine is needed. */
  get isWatching(): boolean {
    return this.#isWatching;
  }

  /** The container runs. @param isNew it was started, not found running */
  watch(isNew: boolean): void {
    const check = healthCheckOf(this.#source.body());
    if (check === undefined) return;
    this.rest();
    this.#isWatching = true;
    this.#health = (isNew ? undefined : this.#read()) ?? notProbed;
    this.#schedule(check, isNew ? 0 : nextProbeMs(check, this.#health));
  }

  /** It has ended, or this engine leaves. */
  rest(): void {
    this.#run++;
    this.#isWatching = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #schedule(check: HealthCheck, delayMs: number): void {
    const run = this.#run;
    this.#timer = setTimeout(() => {
      this.#probeNow(check, run).catch((error: unknown) => log("error", "a health check could not be made", error));
    }, delayMs);
  }

  async #probeNow(check: HealthCheck, run: number): Promise<void> {
    const probe = this.#source.isPaused() ? undefined : await this.#probe(check);
    if (run !== this.#run) return;
    if (probe !== undefined) {
      const before = this.#health;
      const startedMs = Number(BigInt(this.#source.startedNs()) / 1_000_000n);
      this.#health = afterProbe(check, before, probe, startedMs);
      point("container.health.found");
      this.#write();
      point("container.health.recorded");
      if (this.#health.status !== before.status) this.#source.tell(`health_status: ${this.#health.status}`);
    }
    this.#schedule(check, nextProbeMs(check, this.#health));
  }

  /** Never waits longer than the timeout, whatever the container does. */
  async #probe(check: HealthCheck): Promise<Probe> {
    const { execs } = this.#source;
    const startedMs = Date.now();
    const output = new Output();
    let exec: Exec | undefined;
    let exitCode: number | undefined;
    // Else a container that stands still would have one process more with each interval.
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
      return undefined; // half of one: it is found out anew
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

/** Runs it to its end, as a client that has no input, and reads no more of its output than is kept: the rest is its monitor's to throw away. */
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

/** undefined: it was not there in time. */
function inTime<T>(work: Promise<T>, timeoutMs: number): Promise<T | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<T | undefined>();
  const timer = setTimeout(() => resolve(undefined), timeoutMs);
  work.then(resolve, reject).finally(() => clearTimeout(timer));
  return promise;
}

/** The first bytes of what a probe said. */
class Output {
  readonly #chunks: Uint8Array[] = [];
  #left = OUTPUT_MAX_BYTES;

  get isFull(): boolean {
    return this.#left === 0;
  }

  /** A copy of its own: a part of a chunk would keep the whole of it. */
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
