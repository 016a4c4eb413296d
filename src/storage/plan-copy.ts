/**
 * Plans what `cp` puts into a container: an archive's entries become steps below a directory of its root. Pure. Unlike with a layer,
 * existing entries matter: directories are merged, and links on the way are followed inside the root.
 */
import { OrlopError } from "../base/errors.ts";
import { S_IFBLK, S_IFCHR, S_IFIFO } from "../kernel/linux.ts";
import type { Step } from "../kernel/step.ts";
import { type ByteString, bytesOf, displayOf, type TarEntry, type TarKind } from "../spec/tar-entry.ts";
import type { TarSink } from "../spec/tar-reader.ts";

export interface CopyOptions {
  /** Docker's noOverwriteDirNonDir: a directory never replaces something else, nor the other way round. */
  readonly strict: boolean;
  /** The owner of all entries; undefined: as in the archive. */
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
}

const nameMax = 255;
const dataMax = 64 * 1024;
const why = "the archive has this entry";
const nodeKinds: Partial<Record<TarKind, number>> = { character: S_IFCHR, block: S_IFBLK, fifo: S_IFIFO };

export class CopyPlanner implements TarSink {
  readonly #emit: (step: Step) => void;
  readonly #options: CopyOptions;
  /** The last directories that are known to exist: most entries are in the same directory as the one before. */
  #known = new Set<string>([""]);
  readonly #times = new Map<string, bigint>();
  #current: TarEntry | undefined;

  constructor(emit: (step: Step) => void, options: CopyOptions) {
    this.#emit = emit;
    this.#options = options;
  }

  /** The steps before the first entry. @param directory in the container's root */
  begin(directory: string): void {
    this.#emit({ op: "layer-into", why: "what is copied goes here", path: directory });
  }

  entry(entry: TarEntry): void {
    this.#current = entry;
    const path = cleanPath(entry.path, entry);
    if (path === "") {
      this.#current = undefined; // the directory itself stays as it is
      if (entry.kind !== "directory") throw refuse(entry, "it would replace the directory that it is copied into");
      return;
    }
    this.#check(entry);
    this.#makeParent(path);
    const isDirectory = entry.kind === "directory";
    this.#emit({
      op: "layer-place",
      why,
      path: bytesOf(path as ByteString),
      directory: isDirectory ? 1 : 0,
      strict: this.#options.strict ? 1 : 0,
    });
    this.#make(path, entry);
  }

  data(chunk: Uint8Array, offset: number): void {
    if (this.#current === undefined) return;
    for (let at = 0; at < chunk.length; at += dataMax)
      this.#emit({ op: "layer-data", why, offset: offset + at, data: chunk.subarray(at, at + dataMax) });
  }

  finish(): void {
    if (this.#current?.kind === "hardlink") return;
    for (const [name, value] of this.#current?.xattrs ?? [])
      this.#emit({ op: "layer-xattr", why, name: bytesOf(name), value });
  }

  end(): void {
    for (const [path, mtimeNs] of this.#times)
      this.#emit({ op: "layer-time", why, path: bytesOf(path as ByteString), mtimeNs: signed(mtimeNs) });
    this.#emit({ op: "layer-end", why: "the archive is whole", sync: 0 });
  }

  #make(path: string, entry: TarEntry): void {
    const { uid, gid } = this.#options.owner ?? entry;
    const { kind, mode } = entry;
    const place = bytesOf(path as ByteString);
    const mtimeNs = signed(entry.mtimeNs);
    const nodeKind = nodeKinds[kind];
    if (kind === "directory") {
      this.#known.add(path);
      this.#times.set(path, entry.mtimeNs);
      this.#emit({ op: "layer-directory", why, path: place, mode, uid, gid });
      return;
    }
    this.#known.delete(path);
    this.#times.delete(path);
    if (nodeKind !== undefined) {
      const { major, minor } = entry;
      this.#emit({ op: "layer-node", why, path: place, kind: nodeKind, mode, uid, gid, mtimeNs, major, minor });
    } else if (kind === "symlink") {
      this.#emit({ op: "layer-symlink", why, path: place, target: bytesOf(entry.link), uid, gid, mtimeNs });
    } else if (kind === "hardlink") {
      this.#emit({ op: "layer-link", why, path: place, target: bytesOf(cleanPath(entry.link, entry) as ByteString) });
    } else {
      this.#emit({ op: "layer-file", why, path: place, mode, uid, gid, mtimeNs, size: entry.size });
    }
  }

  #makeParent(path: string): void {
    const parent = path.slice(0, Math.max(path.lastIndexOf("/"), 0));
    if (this.#known.has(parent)) return;
    if (this.#known.size > 10_000) this.#known = new Set([""]);
    this.#known.add(parent);
    this.#emit({ op: "layer-parent", why: "entries lie in it", path: bytesOf(parent as ByteString) });
  }

  #check(entry: TarEntry): void {
    if (entry.kind === "character" && entry.major === 0 && entry.minor === 0)
      throw refuse(entry, "device 0:0 is overlayfs's own mark");
    if (entry.kind === "symlink" && (entry.link === "" || entry.link.includes("\0")))
      throw refuse(entry, "its target is empty or has a NUL");
    if (entry.kind === "hardlink" && cleanPath(entry.link, entry) === cleanPath(entry.path, entry))
      throw refuse(entry, "a hard link to itself");
    for (const [name] of entry.xattrs)
      if (/^(trusted|user)\.overlay\./.test(name)) throw refuse(entry, `attribute ${name} is overlayfs's own mark`);
  }
}

/** The path below the target directory, with `..` resolved. @throws {OrlopError} copy_refused: it leads out */
function cleanPath(written: ByteString, entry: TarEntry): string {
  const parts: string[] = [];
  for (const part of written.split("/")) {
    if (part === "" || part === ".") continue;
    if (part.length > nameMax) throw refuse(entry, `a part of its name is over ${nameMax} bytes`);
    if (part !== "..") parts.push(part);
    else if (parts.pop() === undefined) throw refuse(entry, "its name leads out with ..");
  }
  return parts.join("/");
}

function refuse(entry: TarEntry, reason: string): OrlopError {
  return OrlopError.of("copy_refused", { entry: displayOf(entry.path), reason });
}

/** As two's complement of 64 bits, clamped to the times that the kernel can hold. */
function signed(ns: bigint): bigint {
  const limit = 2n ** 63n;
  return BigInt.asUintN(64, ns >= limit ? limit - 1n : ns < -limit ? -limit : ns);
}
