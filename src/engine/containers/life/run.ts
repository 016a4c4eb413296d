/** One run of a container: started or found by this engine, watched, and its end recorded. */

import { settlesWithin } from "../../../base/in-time.ts";
import { log } from "../../../base/log.ts";
import { point } from "../../../base/point.ts";
import { SIGKILL } from "../../../kernel/signals.ts";
import { countOomKills, recordOfEnd } from "../container-end.ts";
import type { ContainerHealth } from "../container-health.ts";
import type { ContainerIo } from "../container-io.ts";
import type { ContainerProcess, End } from "../container-process.ts";
import type { RunRecord } from "../container-record.ts";
import type { ContainerCleanup } from "./cleanup.ts";
import type { ContainerLife } from "./container-life.ts";

/** How long the killing of processes whose monitor is lost is waited for. */
const KILL_TIMEOUT_MS = 2000;
const KILL_RETRY_MS = 250;
/** A `--rm` container that ended while no engine ran is kept for so long: its client has lost its connection too, and is about to ask again. */
const KEEP_FOR_CLIENT_MS = 3000;

export class ContainerRun {
  readonly #life: ContainerLife;
  readonly #health: ContainerHealth;
  readonly #cleanup: ContainerCleanup;
  readonly #io: ContainerIo;

  constructor(life: ContainerLife, io: ContainerIo, health: ContainerHealth, cleanup: ContainerCleanup) {
    this.#life = life;
    this.#io = io;
    this.#health = health;
    this.#cleanup = cleanup;
  }

  /** As `Container.adopt`. */
  async adopt(process: ContainerProcess, groupPath: string): Promise<void> {
    const life = this.#life;
    const started = await process.link.started;
    life.process = process;
    life.phase = "running";
    life.isPaused = life.group.isFrozen();
    life.volumes.adopt();
    if (life.run.status !== "running") await life.recordStart(started);
    this.watch(process, groupPath);
    if (life.isKillRequested) process.signal(SIGKILL); // requested while the monitor did not answer
    this.#health.watch(false);
  }

  /** As `Container.presumeRunning`. */
  presumeRunning(found: Promise<unknown>): void {
    const life = this.#life;
    life.phase = "running";
    life.stuckReason = "its monitor does not answer";
    life.volumes.adopt();
    life.ended = found.then(() => {
      life.stuckReason = undefined;
      return life.process === undefined ? undefined : life.ended;
    });
  }

  /** As `Container.recordUnseenEnd`. */
  async recordUnseenEnd(end: End, groupPath: string): Promise<void> {
    const life = this.#life;
    if (!life.isTransient || end.kind === "lost") return this.#handleEnd(end, groupPath);
    const ended = recordOfEnd(life.run, end, () => countOomKills(life.parts.machine.cgroups, groupPath));
    life.phase = "exited";
    life.record = { ...life.record, run: ended };
    this.#cleanup.cleanUp();
    void life.parts.background(`keeping ${life.id} for its client`, async () => {
      await new Promise((resolve) => setTimeout(resolve, KEEP_FOR_CLIENT_MS));
      await life.queue.run(async () => {
        if (life.phase === "exited" && life.run === ended) await this.#cleanup.removeContainer(ended);
      });
    });
  }

  watch(process: ContainerProcess, groupPath: string): void {
    const life = this.#life;
    process.link.watchMemory((kills) => this.#handleOutOfMemory(kills));
    life.ended = process.ended
      .then((end) => this.#handleEnd(end, groupPath))
      .catch((error: unknown) => log("error", `the end of container ${life.id} could not be recorded`, error));
  }

  /** @param kills since the run began: a monitor that an engine connects to again repeats what the last engine may have heard */
  #handleOutOfMemory(kills: number): void {
    const life = this.#life;
    if (kills > 0 && kills <= (life.run.oomKills ?? 0)) return;
    life.publish("oom");
    if (kills === 0) return; // the OOM killer is disabled: processes wait for memory instead
    life.record = { ...life.record, run: { ...life.run, oomKilled: true, oomKills: kills } };
    void life.parts.background(`noting that container ${life.id} ran out of memory`, async () => {
      if (life.isRunning) await life.save();
    });
  }

  async #handleEnd(end: End, groupPath: string): Promise<void> {
    const life = this.#life;
    point("container.exit.known");
    await this.#io.outputDelivered();
    const link = life.process?.link;
    life.monitorClosed = link?.closed ?? Promise.resolve();
    life.releaseMonitor = () => link?.letGo();
    const reportsOom = life.process?.isOwn ?? false;
    life.process = undefined;
    this.#health.stop();
    life.isPaused = false;
    life.stuckReason = undefined;
    const { oomKilled: wasPublished } = life.run;
    const ended = recordOfEnd(life.run, end, () =>
      reportsOom ? 0 : countOomKills(life.parts.machine.cgroups, groupPath),
    );
    // Not published yet: no engine ran when it happened, or the monitor is of an older build.
    if (ended.oomKilled && !wasPublished) life.publish("oom");
    // A monitor reports the end of the first process only; where it is lost, other processes may still run. Networks are not part of
    // this: at the engine's start, the holders of ports are dealt with once all containers are known to run or not.
    const isLost = end.kind === "lost";
    if (isLost) await this.#killRemaining(groupPath);
    if (isLost || (life.isTransient && life.volumes.hasAny)) this.#cleanup.cleanUp();
    else if (!life.isTransient) this.#cleanup.cleanUpSoon(); // a --rm container's cgroup goes together with its files
    life.phase = "exited";
    if (life.isTransient) {
      life.record = { ...life.record, run: ended };
      this.#announceEnd(ended);
      await this.#cleanup.removeContainer(ended);
      return;
    }
    const { run, restarts } = life.restarts.afterEnd(ended);
    await life.recordRun(run, life.withRestarts(restarts));
    point("container.exit.recorded");
    if (restarts.isWaiting) point("container.restart.recorded");
    this.#announceEnd(ended);
    life.restarts.schedule();
  }

  /**
   * A container whose monitor is lost is not reported as exited before its processes are killed. If they cannot be killed now
   * (the supervisor, which forks the tasks, may be gone too), the record still says "running", and the next engine kills them.
   */
  async #killRemaining(groupPath: string): Promise<void> {
    for (;;) {
      const isKilled = this.#cleanup.killGroup(groupPath);
      // Killed processes may wait for a disk for longer than the timeout: they are not waited for.
      if (!(await settlesWithin(isKilled, KILL_TIMEOUT_MS)) || (await isKilled)) return;
      await new Promise((resolve) => setTimeout(resolve, KILL_RETRY_MS));
    }
  }

  #announceEnd(ended: RunRecord): void {
    const { startedNs, endedNs, exitCode } = ended;
    const seconds = startedNs === "0" ? 0n : (BigInt(endedNs) - BigInt(startedNs)) / 1_000_000_000n;
    this.#life.publish("die", { exitCode: String(exitCode), execDuration: String(seconds) });
    this.#life.waiters.notify("exit", ended);
  }
}
