/** One container's use of its volumes, from its creation to its removal. For a container without volumes every method does nothing. */

import type { Change } from "../../store/rows.ts";
import { anonymousOf, type MountPoint, volumesOf } from "../mounts/mount-point.ts";
import type { Volumes } from "../volumes/volumes.ts";

export class ContainerVolumes {
  readonly #id: string;
  readonly #mounts: readonly MountPoint[];
  readonly #names: readonly string[];
  readonly #volumes: Volumes;
  #isHeld = false;

  constructor(id: string, mounts: readonly MountPoint[], volumes: Volumes) {
    this.#id = id;
    this.#mounts = mounts;
    this.#names = volumesOf(mounts);
    this.#volumes = volumes;
  }

  get hasAny(): boolean {
    return this.#names.length > 0;
  }

  /** The container is recorded: from now on its volumes cannot be removed. */
  refer(): void {
    for (const name of this.#names) this.#volumes.find(name)?.references.add(this.#id);
  }

  /** The container was found running. */
  adopt(): void {
    this.#isHeld = this.#names.length > 0;
    for (const name of this.#names) this.#volumes.find(name)?.adopt(this.#id);
  }

  /** Before a start: mounts volumes whose options ask for a mount. @throws {OrlopError} no_such_volume, volume_mount_failed */
  async acquire(): Promise<void> {
    for (const name of this.#names) await this.#volumes.get(name).acquire(this.#id);
    if (this.#names.length === 0) return;
    this.#isHeld = true;
    this.#volumes.publishMounts("mount", this.#id, this.#mounts);
  }

  /** After an end, or a start that failed. Idempotent. */
  async release(): Promise<void> {
    for (const name of this.#names) await this.#volumes.find(name)?.release(this.#id);
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#volumes.publishMounts("unmount", this.#id, this.#mounts);
  }

  /** Store changes that keep its anonymous volumes, to be applied in one transaction with the removal of its record. */
  get keeping(): Change[] {
    return this.#names.length > 0 ? this.#volumes.keeping(anonymousOf(this.#mounts)) : [];
  }

  /** `keeping` has been applied. */
  kept(): void {
    this.#volumes.kept(anonymousOf(this.#mounts));
  }

  /** `keeping` and `kept` in one, for a container whose own record is in another store (`--rm`). */
  async keep(): Promise<void> {
    if (this.#names.length > 0) await this.#volumes.keep(anonymousOf(this.#mounts));
  }

  /** After its record was removed. @param stay keeps its anonymous volumes, which else are removed unless another container uses them */
  async leave(stay: boolean): Promise<void> {
    if (this.#names.length > 0) await this.#volumes.forget(this.#id, stay ? [] : anonymousOf(this.#mounts));
  }
}
