/** A container's execs. Those that have ended are kept for a while, so that clients can ask for their exit code. */

import { rmSync } from "node:fs";
import { newContainerId } from "../../base/id.ts";
import type { Step } from "../../kernel/step.ts";
import type { ExecCreateBody } from "../../spec/engine-api-exec.ts";
import type { EngineParts } from "../engine-parts.ts";
import { Exec, type ExecHost } from "../execs/exec.ts";
import { type ExecRecord, readExecRecords } from "../execs/exec-record.ts";
import { endLostExec } from "../execs/lost-exec.ts";
import { readText } from "../machine.ts";
import { ContainerProcess } from "./container-process.ts";
import { parseDetachKeys } from "./detach-keys.ts";
import { exitStatusOf, parseExitRecord } from "./exit-status.ts";

/** As in Docker. */
const KEEP_ENDED_MS = 5 * 60 * 1000;
/** The limit for a container with an exec every second. */
const KEEP_ENDED = 256;
/**
 * Limits for execs that were never started. Docker keeps them as long as the container runs; Orlop discards the oldest beyond these
 * limits. Each takes 4 KB of /run and 7 KB of the engine's memory, more with a large request (4 MiB at most).
 */
const KEEP_CREATED = 512;
const KEEP_CREATED_BYTES = 16 * 1024 * 1024;
/** The exit code of an exec whose monitor was lost: 128 + SIGKILL. */
const LOST_EXIT_CODE = 137;

export class ContainerExecs {
  readonly #parts: EngineParts;
  readonly #host: ExecHost;
  /** Oldest first. */
  readonly #byId = new Map<string, Exec>();

  constructor(parts: EngineParts, host: ExecHost) {
    this.#parts = parts;
    this.#host = host;
  }

  /** @throws {OrlopError} container_not_running, bad_value */
  create(body: ExecCreateBody): Exec {
    this.#host.pid();
    if (body.DetachKeys !== "") parseDetachKeys(body.DetachKeys);
    const exec = new Exec(this.#parts, this.#host, { id: newContainerId(), body });
    exec.establish();
    this.#byId.set(exec.id, exec);
    this.#forgetOld();
    return exec;
  }

  /** What an exec would do. Nothing is made. @throws {OrlopError} container_not_running, bad_value */
  foresee(body: ExecCreateBody): readonly Step[] {
    return new Exec(this.#parts, this.#host, { id: newContainerId(), body }).foresee();
  }

  get(id: string): Exec | undefined {
    return this.#byId.get(id);
  }

  /** Execs that run, or can still be started. */
  ids(): string[] {
    return [...this.#byId.values()].filter(({ status }) => status !== "exited").map(({ id }) => id);
  }

  /** Takes over the execs of an earlier engine. @param watch as `Reconciliation.watch`, with the pid of an exec's process */
  async restore(watch: (initPid: number) => void): Promise<void> {
    const restored = await Promise.all(
      readExecRecords(this.#host.places).map((record) => this.#restoreOne(record, watch)),
    );
    if (!restored.includes("lost")) return;
    void this.#parts.background("ending what lost execs left", () => endLostExec(this.#parts, this.#host, undefined));
  }

  async #restoreOne(record: ExecRecord, watch: (initPid: number) => void): Promise<"found" | "lost"> {
    const exec = new Exec(this.#parts, this.#host, record);
    this.#byId.set(exec.id, exec);
    exec.blockStart();
    try {
      const process = await ContainerProcess.find(this.#parts.executor, exec.places.socket);
      await exec.adopt(process);
      watch(exec.pid);
      return "found";
    } catch {
      const ended = parseExitRecord(readText(exec.places.exitRecord) ?? "");
      if (ended !== undefined) exec.recordUnseenEnd(exitStatusOf(ended.status).exitCode);
      // The monitor creates the record's temporary file before it starts the program.
      else if (readText(`${exec.places.exitRecord}.new`) !== undefined) {
        exec.recordUnseenEnd(LOST_EXIT_CODE);
        return "lost";
      } else exec.allowStart();
      return "found";
    }
  }

  /** Discards all execs of the last run. */
  clear(): void {
    if (this.#byId.size === 0) return;
    for (const exec of this.#byId.values()) exec.discard();
    this.#byId.clear();
    rmSync(`${this.#host.places.runDir}/exec`, { recursive: true, force: true });
  }

  /** Discards an exec whose exit code nobody will ask for. */
  forget(exec: Exec): void {
    if (this.#byId.delete(exec.id)) exec.discard();
  }

  #forgetOld(): void {
    const nowMs = performance.now();
    const left = { ended: KEEP_ENDED, created: KEEP_CREATED, createdBytes: KEEP_CREATED_BYTES };
    const isOver = (exec: Exec): boolean => {
      if (exec.status === "exited") return --left.ended < 0 || nowMs - (exec.endedMs ?? nowMs) > KEEP_ENDED_MS;
      if (exec.status !== "created") return false;
      left.createdBytes -= exec.sizeBytes;
      return --left.created < 0 || left.createdBytes < 0;
    };
    // Newest first: the oldest ones exceed the limits.
    for (const exec of [...this.#byId.values()].toReversed()) if (isOver(exec)) this.forget(exec);
  }
}
