/** A container's execs: those that run or will, and for a while those that have ended, so that their exit code can be asked. */

import { rmSync } from "node:fs";
import { newContainerId } from "../../base/id.ts";
import type { ExecCreateBody } from "../../spec/engine-api-exec.ts";
import type { EngineParts } from "../engine-parts.ts";
import { Exec, type ExecHost } from "../execs/exec.ts";
import { type ExecRecord, readExecRecords } from "../execs/exec-record.ts";
import { endLostExec } from "../execs/lost-exec.ts";
import { readText } from "../machine.ts";
import { ContainerProcess } from "./container-process.ts";
import { parseDetachKeys } from "./detach-keys.ts";
import { exitStatusOf, parseExitRecord } from "./exit-status.ts";

/** As Docker keeps them. */
const KEEP_ENDED_MS = 5 * 60 * 1000;
/** A container that is asked for something each second has no more of them than this. */
const KEEP_ENDED = 256;
/**
 * Docker keeps those that were never started as long as the container runs, and so does Orlop, but for the oldest of more than this: each
 * takes 4 KB of /run and 7 KB of the engine's memory, a large request (4 MiB at most) more.
 */
const KEEP_CREATED = 512;
const KEEP_CREATED_BYTES = 16 * 1024 * 1024;
/** Of one that was lost. */
const LOST = 137;

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

  get(id: string): Exec | undefined {
    return this.#byId.get(id);
  }

  /** Those that run, or can be started. */
  ids(): string[] {
    return [...this.#byId.values()].filter(({ status }) => status !== "exited").map(({ id }) => id);
  }

  /** Takes over what an earlier engine began. `watch` is told of monitors that the supervisor does not know. */
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
    exec.seek();
    try {
      const process = await ContainerProcess.find(this.#parts.executor, exec.places.socket);
      await exec.adopt(process);
      watch(exec.pid);
      return "found";
    } catch {
      const ended = parseExitRecord(readText(exec.places.exitRecord) ?? "");
      if (ended !== undefined) exec.settle(exitStatusOf(ended.status).exitCode);
      // Its temporary file is made before the start.
      else if (readText(`${exec.places.exitRecord}.new`) !== undefined) {
        exec.settle(LOST);
        return "lost";
      } else exec.neverRan();
      return "found";
    }
  }

  /** A new run of the container begins, or there will be none: those of the last are nobody's. */
  clear(): void {
    if (this.#byId.size === 0) return;
    for (const exec of this.#byId.values()) exec.discard();
    this.#byId.clear();
    rmSync(`${this.#host.places.runDir}/exec`, { recursive: true, force: true });
  }

  /** Its exit code is nobody's any more. */
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
    // newest first
    for (const exec of [...this.#byId.values()].toReversed()) if (isOver(exec)) this.forget(exec);
  }
}
