/** One run of a container: found or begun, watched, and its end taken note of. */

import { settlesWithin } from "../../../base/in-time.ts";
import { log } from "../../../base/log.ts";
import { point } from "../../../base/point.ts";
import { SIGKILL } from "../../../kernel/signals.ts";
import { countOomKills, recordOfEnd } from "../container-end.ts";
import type { ContainerHealth } from "../container-health.ts";
import type { ContainerIo } from "../container-io.ts";
import type { ContainerProcess, End } from "../container-process.ts";
import { neverRun, type RunRecord } from "../container-record.ts";
import type { ContainerLife } from "./container-life.ts";
import type { ContainerRemoval } from "./removal.ts";

/** So long an engine that starts waits for processes without a monitor to end. */
const LOST_PATIENCE_MS = 2000;
/** Killing them has failed: so long until it is tried again. */
const LOST_AGAIN_MS = 250;
/** So long a `--rm` container whose end no engine saw is kept for its client, which has lost the engine too and is on its way. */
const COLLECT_MS = 3000;

export class ContainerRun {
  readonly #life: ContainerLife;
  readonly #health: ContainerHealth;
  readonly #removal: ContainerRemoval;
  readonly #io: ContainerIo;

  constructor(life: ContainerLife, io: ContainerIo, health: ContainerHealth, removal: ContainerRemoval) {
    this.#life = life;
    this.#io = io;
    this.#health = health;
    this.#removal = removal;
  }

  /** Goes on with what an earlier engine began, and may not have written down. */
  async adopt(process: ContainerProcess, groupPath: string): Promise<void> {
    const life = this.#life;
    const started = await process.link.started;
    life.process = process;
    life.phase = "running";
    life.isPaused = life.group.isFrozen();
    life.volumes.adopt();
    if (life.run.status !== "running")
      await life.note({ ...neverRun, status: "running", pid: started.pid, startedNs: String(started.startedNs) });
    this.watch(process, groupPath);
    if (life.mustEnd) process.signal(SIGKILL); // somebody asked while its monitor did not answer
    this.#health.watch(false);
  }

  /** Its monitor is there and does not answer yet: it is taken for running. @param found it did, and all else is done */
  presume(found: Promise<unknown>): void {
    const life = this.#life;
    life.phase = "running";
    life.stuck = "its monitor does not answer";
    life.volumes.adopt();
    life.ended = found.then(() => {
      life.stuck = undefined;
      return life.process === undefined ? undefined : life.ended;
    });
  }

  /** Takes note of an end that no engine saw. */
  async settle(end: End, groupPath: string): Promise<void> {
    const life = this.#life;
    if (!life.isTransient || end.kind === "lost") return this.#takeEnd(end, groupPath);
    const ended = recordOfEnd(life.run, end, () => countOomKills(life.parts.machine.cgroups, groupPath));
    life.phase = "exited";
    life.record = { ...life.record, run: ended };
    this.#removal.clear();
    void life.parts.background(`keeping ${life.id} for its client`, async () => {
      await new Promise((resolve) => setTimeout(resolve, COLLECT_MS));
      await life.queue.run(async () => {
        if (life.phase === "exited" && life.run === ended) await this.#removal.vanish(ended);
      });
    });
  }

  watch(process: ContainerProcess, groupPath: string): void {
    const life = this.#life;
    process.link.watchMemory((kills) => this.#takeOutOfMemory(kills));
    life.ended = process.ended
      .then((end) => this.#takeEnd(end, groupPath))
      .catch((error: unknown) => log("error", `the end of container ${life.id} could not be recorded`, error));
  }

  /** @param kills of all of this run: a monitor that is found again says what the last engine may have been told */
  #takeOutOfMemory(kills: number): void {
    const life = this.#life;
    if (kills > 0 && kills <= (life.run.oomKills ?? 0)) return;
    life.tell("oom");
    if (kills === 0) return; // its processes wait for memory instead
    life.record = { ...life.record, run: { ...life.run, oomKilled: true, oomKills: kills } };
    void life.parts.background(`noting that container ${life.id} ran out of memory`, async () => {
      if (life.isRunning) await life.store();
    });
  }

  async #takeEnd(end: End, groupPath: string): Promise<void> {
    const life = this.#life;
    point("container.exit.known");
    await this.#io.outputPassedOn();
    const link = life.process?.link;
    life.left = link?.closed ?? Promise.resolve();
    life.letGo = () => link?.letGo();
    const isTold = life.process?.isOwn ?? false;
    life.process = undefined;
    this.#health.rest();
    life.isPaused = false;
    life.stuck = undefined;
    const { oomKilled: wasTold } = life.run;
    const ended = recordOfEnd(life.run, end, () => (isTold ? 0 : countOomKills(life.parts.machine.cgroups, groupPath)));
    if (ended.oomKilled && !wasTold) life.tell("oom"); // no engine was there, or its monitor is an older one
    // Only its first process is known to be gone where the monitor said so.
    // Not so its networks: what holds their ports is told after all containers are known to run or not.
    const isLost = end.kind === "lost";
    if (isLost) await this.#endWhatRuns(groupPath);
    if (isLost || (life.isTransient && life.volumes.areAny)) this.#removal.clear();
    else if (!life.isTransient) this.#removal.clearSoon(); // of a --rm container in one with its files
    life.phase = "exited";
    if (life.isTransient) {
      life.record = { ...life.record, run: ended };
      this.#tellEnd(ended);
      await this.#removal.vanish(ended);
      return;
    }
    const { run, restarts } = life.restarts.afterEnd(ended);
    await life.note(run, life.withRestarts(restarts));
    point("container.exit.recorded");
    if (restarts.isWaiting) point("container.restart.recorded");
    this.#tellEnd(ended);
    life.restarts.schedule();
  }

  /**
   * It is not said that it ended before its processes are killed: what cannot be done now, as where the supervisor was killed too,
   * the next engine does, which finds it written down as running.
   */
  async #endWhatRuns(groupPath: string): Promise<void> {
    for (;;) {
      const isKilled = this.#removal.endGroup(groupPath);
      if (!(await settlesWithin(isKilled, LOST_PATIENCE_MS)) || (await isKilled)) return; // a disk may hold them up for longer
      await new Promise((resolve) => setTimeout(resolve, LOST_AGAIN_MS));
    }
  }

  #tellEnd(ended: RunRecord): void {
    const { startedNs, endedNs, exitCode } = ended;
    const seconds = startedNs === "0" ? 0n : (BigInt(endedNs) - BigInt(startedNs)) / 1_000_000_000n;
    this.#life.tell("die", { exitCode: String(exitCode), execDuration: String(seconds) });
    this.#life.waiters.tell("exit", ended);
  }
}
