/** One volume: the containers that refer to it, and the mount on it while containers use it. */

import { lookup } from "node:dns/promises";
import { OrlopError } from "../../base/errors.ts";
import { point } from "../../base/point.ts";
import { Serial } from "../../base/serial.ts";
import { type Executor, StepFailure } from "../../kernel/executor.ts";
import type { Step } from "../../kernel/step.ts";
import { isMounted, planVolumeMount, planVolumeUnmount } from "../../storage/local-volume.ts";
import { withoutPasswords, withServerAddress } from "../../storage/volume-server.ts";
import type { VolumeDirectories } from "./volume-directories.ts";
import type { VolumeRecord } from "./volume-record.ts";

export class Volume {
  readonly path: string;
  /** Ids of the containers that have it among their mounts, running or not. It can be removed only when there are none. */
  readonly references = new Set<string>();
  readonly #executor: Executor;
  readonly #queue = new Serial();
  /** Ids of the running containers that use it. */
  readonly #users = new Set<string>();
  record: VolumeRecord;
  /** making: its directory or record is not on the disk yet. removing: no container may begin to use it. */
  state: "making" | "ready" | "removing" = "ready";
  /** Settles when it is no longer making or removing. Never rejects. */
  settled: Promise<void> = Promise.resolve();

  constructor(record: VolumeRecord, path: string, executor: Executor) {
    this.record = record;
    this.path = path;
    this.#executor = executor;
  }

  get name(): string {
    return this.record.name;
  }

  /** Whether a running container uses it. */
  get isUsed(): boolean {
    return this.#users.size > 0;
  }

  /** To be called before a container starts. @throws {OrlopError} volume_mount_failed */
  acquire(container: string): Promise<void> {
    return this.#queue.run(async () => {
      if (this.#users.size === 0 && isMounted(this.record.options)) await this.#mount();
      this.#users.add(container);
    });
  }

  /** As `acquire`, for a container that was found running: the volume is mounted already. */
  adopt(container: string): void {
    this.#users.add(container);
  }

  /** To be called after a container has ended. */
  release(container: string): Promise<void> {
    return this.#queue.run(async () => {
      if (!this.#users.delete(container) || this.#users.size > 0) return;
      await this.unmount();
    });
  }

  /**
   * Fills the volume if it is empty.
   *
   * @param copy writes the content into the empty directory at this path
   */
  fill(copy: (target: string) => Promise<void>, directories: VolumeDirectories): Promise<void> {
    return this.#queue.run(async () => {
      const mounts = this.#users.size === 0 && isMounted(this.record.options);
      if (mounts) await this.#mount();
      try {
        if (!(await directories.isEmpty(this.name))) return;
        // Filled in place only if another container or a mount uses this very directory.
        if (this.#users.size > 0 || mounts) return await copy(this.path);
        const staging = directories.stagingOf(this.name);
        await copy(staging);
        point("volume.fill.copied");
        await directories.adopt(this.name);
        point("volume.fill.adopted");
      } finally {
        if (mounts) await this.unmount();
      }
    });
  }

  /** Unmounts its directory, if something is mounted on it. */
  async unmount(): Promise<void> {
    if (!isMounted(this.record.options)) return;
    await this.#executor.run(planVolumeUnmount(this.path));
    point("volume.unmounted");
  }

  /** Steps that mount on its directory what its options say. @throws {OrlopError} volume_server_unknown */
  async planMount(): Promise<Step[]> {
    const options = await withServerAddress(this.record.options ?? {}, addressOf);
    return planVolumeMount(this.name, options, this.path);
  }

  async #mount(): Promise<void> {
    const options = this.record.options ?? {};
    const mount = await this.planMount();
    try {
      // Detaches first what an engine that was killed may have mounted, because mounts on one directory pile up.
      await this.#executor.run([...planVolumeUnmount(this.path), ...mount]);
    } catch (error) {
      if (!(error instanceof StepFailure)) throw error;
      const reason = error.detail === "" ? error.errno : `${error.errno}: ${withoutPasswords(error.detail)}`;
      const [device, type] = [options["device"] ?? "", options["type"] ?? ""];
      throw OrlopError.of("volume_mount_failed", { path: this.path, device, type, reason }, error);
    }
    point("volume.mounted");
  }
}

/** IPv4 before IPv6, as in Docker. */
async function addressOf(name: string): Promise<string> {
  const found = await lookup(name, { all: true });
  const address = (found.find(({ family }) => family === 4) ?? found[0])?.address;
  if (address === undefined) throw new Error("no address");
  return address;
}
