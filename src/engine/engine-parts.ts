/** What every container needs of the engine: the machine, the executor, the stores, the other objects. */

import type { Executor } from "../kernel/executor.ts";
import type { Step } from "../kernel/step.ts";
import type { RecordStore } from "../store/rows.ts";
import type { Container } from "./containers/container.ts";
import type { ContainerRecord } from "./containers/container-record.ts";
import type { Donations } from "./containers/sharing.ts";
import type { Events } from "./events/events.ts";
import type { Images } from "./images/images.ts";
import type { Machine } from "./machine.ts";
import type { Networks } from "./networks/networks.ts";
import type { Places } from "./places.ts";
import type { Volumes } from "./volumes/volumes.ts";

export interface EngineParts {
  readonly machine: Machine;
  readonly places: Places;
  readonly executor: Executor;
  readonly images: Images;
  /** Changes are published here, once they are done. */
  readonly events: Events;
  readonly volumes: Volumes;
  /** The store of a container's record; `--rm` containers have one that is never synced. */
  storeOf(record: Pick<ContainerRecord, "body">): RecordStore;
  /** What a container takes at its start from those that it joins. @throws {OrlopError} one of them cannot be joined */
  donationsFor(container: Container): Donations;
  /** The existing containers that it joins or has links to. */
  neededBy(container: Container): readonly Container[];
  /** Called after each start: the next container may be of the same kind. */
  noteStart(record: ContainerRecord): void;
  /** Called when a container has been removed: its name is free. */
  forget(container: Container): void;
  /** As `BackgroundWork.run`. */
  background(what: string, work: () => Promise<void>): Promise<boolean>;
  readonly networks: Networks;
  /** Resolves when everything that earlier engines left is taken over or removed. What is made before could be mistaken for that. */
  readonly reconciled: Promise<void>;
  /** The steps of `clearAway`. */
  planClearing(groupPath: string, paths: readonly string[], mounts: readonly string[]): readonly Step[];
  /** Kills what is left in a cgroup, removes it, and then these paths. @param mounts detached before that */
  clearAway(groupPath: string, paths: readonly string[], mounts?: readonly string[]): Promise<void>;
  /** As `clearAway`, but a moment later, in one plan with others' (`Sweeper`). @param paths called then */
  sweepAway(groupPath: string, paths: () => readonly string[], mounts?: readonly string[]): Promise<void>;
  removeFiles(paths: readonly string[]): Promise<void>;
  /** As `removeFiles`, but a moment later, in one plan with others'. */
  sweepFiles(paths: readonly string[]): Promise<void>;
  /** Carries out at once what `sweepAway` and `sweepFiles` have put off. */
  sweepNow(): void;
}
