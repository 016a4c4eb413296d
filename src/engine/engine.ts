/** The engine: opens the stores, takes over what an earlier engine left, and wires its objects together. */

import { mkdirSync } from "node:fs";
import { log } from "../base/log.ts";
import { takeProxyEnvironment } from "../images/proxy.ts";
import { findWeightFile } from "../kernel/cgroup/io-limits.ts";
import { planGroupParent } from "../kernel/cgroup/parent.ts";
import type { Executor } from "../kernel/executor.ts";
import { hasJournal } from "../kernel/journal.ts";
import type { Netd } from "../kernel/netd.ts";
import type { Step } from "../kernel/step.ts";
import { planFileRemoval, planRemoval } from "../runtime/plan-removal.ts";
import { DurableStore } from "../store/durable-store.ts";
import { replaceFile } from "../store/replace-file.ts";
import { RunStore } from "../store/run-store.ts";
import { BackgroundWork } from "./background-work.ts";
import { isAfterBoot, noteBoot } from "./boot.ts";
import { isTransient } from "./containers/container-record.ts";
import { hostnameOf } from "./containers/container-spec.ts";
import { Containers } from "./containers/containers.ts";
import { reconcile } from "./containers/reconcile.ts";
import { donationsFor, neededBy } from "./containers/sharing.ts";
import { Sweeper } from "./containers/sweeper.ts";
import { usageOfVolumes } from "./disk-usage.ts";
import { earlierTasksEnd } from "./earlier-tasks.ts";
import type { EngineParts } from "./engine-parts.ts";
import { Events } from "./events/events.ts";
import { makeBottom } from "./images/image-stores.ts";
import { Images } from "./images/images.ts";
import { type Machine, readMachine, readText } from "./machine.ts";
import { Networks } from "./networks/networks.ts";
import { type Places, transientsDirectory } from "./places.ts";
import { Volumes } from "./volumes/volumes.ts";

export interface EngineOptions {
  readonly places: Places;
  readonly executor: Executor;
  readonly netd: Netd;
  /** Installs the ruleset of all networks in the kernel. */
  readonly installRules: (text: string) => Promise<void>;
  /** See `Reconciliation.watch`. */
  watch(pid: number): void;
}

export class Engine {
  readonly containers: Containers;
  readonly images: Images;
  readonly volumes: Volumes;
  readonly networks: Networks;
  readonly machine: Machine;
  readonly places: Places;
  readonly events = new Events();
  /** A UUID, kept in the state directory. */
  readonly id: string;
  readonly startedMs = Date.now();
  readonly #parts: EngineParts;
  readonly #reconciled = Promise.withResolvers<void>();
  readonly #background = new BackgroundWork();
  readonly #stores: { readonly durable: DurableStore; readonly run: RunStore };

  private constructor(options: EngineOptions, machine: Machine, stores: { durable: DurableStore; run: RunStore }) {
    this.machine = machine;
    this.places = options.places;
    this.id = engineId(options.places);
    this.#stores = stores;
    this.images = new Images({
      ...options,
      store: stores.durable,
      events: this.events,
      users: { usersOf: (image) => this.containers.usersOf(image), images: () => this.containers.images() },
      environment: takeEnvironment(),
    });
    this.networks = new Networks({
      executor: options.executor,
      netd: options.netd,
      installRules: options.installRules,
      runDir: options.places.runDir,
      hostname: machine.hostname,
      store: stores.durable,
      events: this.events,
      rows: stores.durable.load("network"),
      background: async (what, work) => void (await this.#background.run(what, work)),
      find: (reference) => this.containers.get(reference),
      container: (id) => (this.containers.has(id) ? this.containers.get(id) : undefined),
    });
    this.#parts = this.#partsOf(options);
    this.volumes = new Volumes(this.#parts, stores.durable);
    this.containers = new Containers(this.#parts);
  }

  /** Reads the machine and the stores, and reconciles them. */
  static async open(options: EngineOptions): Promise<Engine> {
    const { places, executor } = options;
    await earlierTasksEnd(places.runDir);
    const folders = [`${places.runDir}/containers`, `${places.stateDir}/containers`, transientsDirectory(places)];
    for (const directory of [places.stateDir, ...folders]) mkdirSync(directory, { recursive: true, mode: 0o711 });
    const stores = {
      durable: new DurableStore(`${places.stateDir}/orlop.db`),
      run: new RunStore(`${places.runDir}/run.db`),
    };
    makeBottom(places);
    const engine = new Engine(options, await prepareMachine(executor, places), stores);
    engine.events.load(historyOf(places));
    engine.volumes.restore(stores.durable.load("volume"));
    await reconcile({
      parts: engine.#parts,
      containers: engine.containers,
      rows: [...stores.durable.load("container"), ...stores.run.load("container")],
      watch: options.watch,
      afterBoot: isAfterBoot(places),
    });
    noteBoot(places);
    await engine.networks.reconcile();
    await engine.volumes.reconcile((id) => engine.containers.has(id));
    engine.#reconciled.resolve();
    return engine;
  }

  /** The size of each volume. */
  volumeUsage(): ReturnType<typeof usageOfVolumes> {
    return usageOfVolumes(this.volumes, this.#parts);
  }

  /** Whether the engine may leave: no work is under way, no restart or health check is due. Running containers do not need it. */
  get isIdle(): boolean {
    return (
      this.#background.isIdle &&
      !this.containers.all().some(({ restarts, health }) => restarts.isWaiting || health.isWatching)
    );
  }

  /**
   * Resolves when the work under way is done and the stores are closed.
   *
   * @param final the engine will not be started again soon: bridges and rules that no container uses are removed
   */
  async close(final = false): Promise<void> {
    for (const { restarts, health } of this.containers.all()) {
      restarts.close();
      health.stop();
    }
    this.containers.readyStarts.close();
    await this.#background.close();
    await this.networks.close(final).catch((error: unknown) => log("warn", "networks are left", error));
    this.events.save(historyOf(this.places));
    await this.images.saveUse();
    await this.#stores.durable.close();
    await this.#stores.run.close();
  }

  #partsOf({ places, executor }: EngineOptions): EngineParts {
    const volumes = (): Volumes => this.volumes;
    const sweeper = new Sweeper((steps) => executor.run(steps));
    return {
      get volumes() {
        return volumes(); // a getter, because volumes are made after these parts
      },
      machine: this.machine,
      places,
      executor,
      images: this.images,
      networks: this.networks,
      events: this.events,
      reconciled: this.#reconciled.promise,
      storeOf: (record) => (isTransient(record) ? this.#stores.run : this.#stores.durable),
      noteStart: (record) => this.containers.readyStarts.noteStart(record),
      forget: (container) => this.containers.forget(container),
      background: (what, work) => this.#background.run(what, work),
      donationsFor: (container) => ({
        ...donationsFor(
          container.body,
          (reference) => this.containers.get(reference),
          ({ id, body: donor }) => hostnameOf({ id, body: donor, machine: this.machine }),
        ),
        environment: this.networks.linkEnvironment(container),
      }),
      neededBy: ({ body }) =>
        neededBy(body).flatMap((reference) => {
          try {
            return this.containers.get(reference);
          } catch {
            return []; // reported by the start
          }
        }),
      planClearing: (groupPath, owned, mounts) => this.#planClearing(groupPath, owned, mounts),
      clearAway: async (groupPath, owned, mounts = []) => {
        await executor.run(this.#planClearing(groupPath, owned, mounts));
      },
      sweepAway: (groupPath, owned, mounts = []) => sweeper.sweep(() => this.#planClearing(groupPath, owned(), mounts)),
      removeFiles: async (paths) => {
        await executor.run(planFileRemoval(paths));
      },
      sweepFiles: (paths) => sweeper.sweep(() => planFileRemoval(paths)),
      sweepNow: () => sweeper.now(),
    };
  }

  #planClearing(groupPath: string, owned: readonly string[], mounts: readonly string[]): Step[] {
    const detach = mounts.map((path): Step => ({ op: "detach", path, why: "what was mounted for this run ends" }));
    return [...detach, ...planRemoval({ cgroups: this.machine.cgroups, groupPath, owned })];
  }
}

/** Reads the machine, and makes the cgroup that holds all containers; some facts show in a cgroup below the root only. */
async function prepareMachine(executor: Executor, places: Places): Promise<Machine> {
  const machine = readMachine();
  const parent = planGroupParent(machine.cgroups, "/orlop", readText);
  await executor.run([...parent, ...spreadContainers(places)]);
  const ioWeightFile = findWeightFile(machine.cgroups, "/orlop", readText);
  return ioWeightFile === undefined ? machine : { ...machine, cgroups: { ...machine.cgroups, ioWeightFile } };
}

/**
 * Spreads the containers' directories over the block groups of an ext4 without a journal: there, ext4 avoids inodes that were freed
 * within the last minutes, and searches long where many were freed nearby (fs/ext4/ialloc.c, `recently_deleted`).
 */
function spreadContainers(places: Places): Step[] {
  const spread = [transientsDirectory(places), `${places.stateDir}/containers`].filter((path) => !hasJournal(path));
  return spread.map((path) => ({ op: "spread", path, why: "what one container leaves free is in no other one's way" }));
}

/** In the run directory: events before the last boot are not kept. */
function historyOf({ runDir }: Places): string {
  return `${runDir}/events.jsonl`;
}

/** The process's environment. The proxy variables are removed from it, because fetch would apply them itself, even to loopback. */
function takeEnvironment(): Readonly<Record<string, string | undefined>> {
  return { ...process.env, ...takeProxyEnvironment(process.env) };
}

/** Read from the state directory, or generated and stored there. */
function engineId({ stateDir }: Places): string {
  const path = `${stateDir}/engine-id`;
  const known = readText(path)?.trim();
  if (known !== undefined && /^[0-9a-f-]{36}$/.test(known)) return known;
  const made = crypto.randomUUID();
  replaceFile(path, made, 0o644);
  return made;
}
