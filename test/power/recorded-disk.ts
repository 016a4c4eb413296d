/** A disk whose writes are recorded below the file system on it, and the states that a power loss could leave of it. */

import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { waitUntil } from "../wait-until.ts";

const recorderSource = join(import.meta.dir, "record-disk.c");

interface Write {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** undefined: a flush. end: where it ends in the record. */
interface Entry {
  readonly write: Write | undefined;
  readonly end: number;
}

export class RecordedDisk {
  /** Where the file system is. */
  readonly mountPoint: string;
  readonly #directory: string;
  readonly #base: string;
  readonly #log: string;
  readonly #ended: Promise<unknown>;
  #isClosed = false;

  private constructor(directory: string, mountPoint: string, ended: Promise<unknown>) {
    this.#directory = directory;
    this.mountPoint = mountPoint;
    this.#base = join(directory, "base");
    this.#log = join(directory, "log");
    this.#ended = ended;
  }

  /** Makes an ext4 file system and mounts it. */
  static async open(directory: string, mountPoint: string, sizeBytes: number): Promise<RecordedDisk> {
    const below = join(directory, "below");
    for (const path of [below, mountPoint]) mkdirSync(path, { recursive: true });
    const recorder = join(directory, "record-disk");
    execFileSync("gcc", ["-Wall", "-Wextra", "-Werror", "-O2", "-o", recorder, recorderSource]);
    const base = join(directory, "base");
    writeFileSync(base, "");
    truncateSync(base, sizeBytes);
    execFileSync("mkfs.ext4", ["-q", "-m", "0", base]);
    const child = spawn(recorder, [below, base, join(directory, "log")], { stdio: "inherit" });
    const ended = new Promise((resolve) => child.once("exit", resolve));
    await waitUntil(() => statSync(join(below, "disk"), { throwIfNoEntry: false }) !== undefined, 5000, "the disk");
    execFileSync("mount", ["-o", "loop", join(below, "disk"), mountPoint]);
    return new RecordedDisk(directory, mountPoint, ended);
  }

  /** Where the record is now: what has been flushed by now is before it. */
  get position(): number {
    return statSync(this.#log).size;
  }

  /** Once is enough. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    execFileSync("umount", [this.mountPoint]);
    execFileSync("umount", [join(this.#directory, "below")]);
    await this.#ended;
  }

  /** What was recorded, once it is closed. */
  read(): Recording {
    return new Recording(readFileSync(this.#base), readFileSync(this.#log));
  }
}

export class Recording {
  readonly #base: Buffer;
  readonly #entries: Entry[] = [];

  constructor(base: Buffer, log: Buffer) {
    this.#base = base;
    for (let at = 0; at < log.length; ) {
      const offset = log.readBigUInt64LE(at);
      const size = log.readUInt32LE(at + 8);
      const end = at + 12 + size;
      const isFlush = offset === 2n ** 64n - 1n;
      this.#entries.push({
        write: isFlush ? undefined : { offset: Number(offset), bytes: log.subarray(at + 12, end) },
        end,
      });
      at = end;
    }
  }

  get length(): number {
    return this.#entries.length;
  }

  /**
   * The disk after a power loss behind entry `at`: everything up to the last flush, and of the writes since then those that
   * `survives` says. A write of many sectors can be torn: each 4 KiB is asked for by itself.
   */
  stateAt(at: number, survives: () => boolean): { readonly disk: Buffer; readonly position: number } {
    const disk = Buffer.from(this.#base);
    const until = this.#entries.slice(0, at + 1);
    const flushed = until.findLastIndex(({ write }) => write === undefined);
    for (const [i, { write }] of until.entries()) {
      if (write === undefined) continue;
      for (let from = 0; from < write.bytes.length; from += sectorBytes)
        if (i <= flushed || survives()) disk.set(write.bytes.subarray(from, from + sectorBytes), write.offset + from);
    }
    return { disk, position: this.#entries[at]?.end ?? 0 };
  }
}

const sectorBytes = 4096;
