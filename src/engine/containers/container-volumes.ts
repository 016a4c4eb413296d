/** What one container has to do with volumes, from its restoration to its removal. Without volumes all of it is nothing. */

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

  get areAny(): boolean {
    return this.#names.length > 0;
  }

  /** The container is written down: its volumes cannot be removed. */
  refer(): void {
    for (const name of this.#names) this.#volumes.find(name)?.references.add(this.#id);
  }

  /** It runs since before this engine. */
  adopt(): void {
    this.#isHeld = this.#names.length > 0;
    for (const name of this.#names) this.#volumes.find(name)?.adopt(this.#id);
  }

  /** Before a start: what its volumes' options say is mounted. @throws {OrlopError} no_such_volume, volume_mount_failed */
  async acquire(): Promise<void> {
    for (const name of this.#names) await this.#volumes.get(name).acquire(this.#id);
    if (this.#names.length === 0) return;
    this.#isHeld = true;
    this.#volumes.tellMounts("mount", this.#id, this.#mounts);
  }

  /** After its end, or a start that failed. Can be done again. */
  async release(): Promise<void> {
    for (const name of this.#names) await this.#volumes.find(name)?.release(this.#id);
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#volumes.tellMounts("unmount", this.#id, this.#mounts);
  }

  /** What is to be written down together with its record's removal, of anonymous volumes that outlive it. */
  get keeping(): Change[] {
    return this.#names.length > 0 ? this.#volumes.keeping(anonymousOf(this.#mounts)) : [];
  }

  /** That is written down. */
  kept(): void {
    this.#volumes.kept(anonymousOf(this.#mounts));
  }

  /** Both at once, where its own record is kept elsewhere. */
  async keep(): Promise<void> {
    if (this.#names.length > 0) await this.#volumes.keep(anonymousOf(this.#mounts));
  }

  /** Once its record is gone: anonymous volumes that nobody else has go too, unless they stay. */
  async leave(stay: boolean): Promise<void> {
    if (this.#names.length > 0) await this.#volumes.forget(this.#id, stay ? [] : anonymousOf(this.#mounts));
  }
}
