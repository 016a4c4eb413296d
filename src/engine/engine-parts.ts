/** What containers share: the machine, the executor, the stores. */

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
  /** Whoever changes something says so here, once it is done. */
  readonly events: Events;
  readonly volumes: Volumes;
  /** `--rm` containers have a store that costs no sync. */
  storeOf(record: Pick<ContainerRecord, "body">): RecordStore;
  /** What a container that is about to start takes of those that it joins. @throws {OrlopError} one that cannot be joined */
  donationsFor(container: Container): Donations;
  /** Those that it joins or has links to, as far as they are there. */
  neededBy(container: Container): readonly Container[];
  /** Such a container was started: the next may be like it. */
  noteStart(record: ContainerRecord): void;
  /** The container is gone: its name is free. */
  forget(container: Container): void;
  /** Work that nobody waits for; the engine does not leave before it is done. Failures are logged. Never rejects; false when it failed. */
  background(what: string, work: () => Promise<void>): Promise<boolean>;
  readonly networks: Networks;
  /** What earlier engines left is found or taken away by then: what is made before that could pass for it. */
  readonly reconciled: Promise<void>;
  /** What `clearAway` does. */
  planClearing(groupPath: string, paths: readonly string[], mounts: readonly string[]): readonly Step[];
  /** Ends what is left of a group, removes it, and then these paths. */
  /** @param mounts taken away before */
  clearAway(groupPath: string, paths: readonly string[], mounts?: readonly string[]): Promise<void>;
  /** As `clearAway`, a moment later, together with what else is left by then. @param paths asked for then */
  sweepAway(groupPath: string, paths: () => readonly string[], mounts?: readonly string[]): Promise<void>;
  removeFiles(paths: readonly string[]): Promise<void>;
  /** As `removeFiles`, a moment later, together with what else is left by then. */
  sweepFiles(paths: readonly string[]): Promise<void>;
  /** What is to be swept goes at once: somebody waits. */
  sweepNow(): void;
}
