/**
 * Plans a layer: tar entries become steps of the executor. Pure: no I/O, no clock.
 *
 * The archive is untrusted. What it may contain is decided here, with exact errors; if this file were wrong, the damage would be
 * bounded by the executor, which never leaves the layer's directory and follows no links.
 *
 * Whiteouts (OCI image-spec layer.md): `.wh.NAME` hides NAME of the layers below, `.wh..wh..opq` everything in its directory.
 */
import { OrlopError } from "../base/errors.ts";
import { S_IFBLK, S_IFCHR, S_IFIFO } from "../kernel/linux.ts";
import type { Step } from "../kernel/step.ts";
import { type ByteString, bytesOf, displayOf, type TarEntry, type TarKind } from "../spec/tar-entry.ts";
import type { TarSink } from "../spec/tar-reader.ts";

export interface LayerLimits {
  readonly entriesMax: number;
  /** Content of all files together, holes included: stops decompression bombs. */
  readonly bytesMax: number;
}

/** Far above any useful image; the engine's environment can change them (layer-limits.ts). */
export const defaultLayerLimits: LayerLimits = { entriesMax: 2_000_000, bytesMax: 256 * 2 ** 30 };

/** NAME_MAX of every file system that holds layers. */
const nameMax = 255;
/** Several of these fit into one piece of the plan stream. */
const dataMaxDefault = 64 * 1024;
const whiteoutPrefix = ".wh.";
const opaqueMarker = ".wh..wh..opq";
/** Prefix of aufs's own files in layers, which are skipped. */
const metadataPrefix = ".wh..wh.";

const why = "the layer's archive has this entry";
const nodeKinds: Partial<Record<TarKind, number>> = { character: S_IFCHR, block: S_IFBLK, fifo: S_IFIFO };

export class LayerPlanner implements TarSink {
  readonly #emit: (step: Step) => void;
  readonly #limits: LayerLimits;
  /** Directories that exist, with their times; "" is the layer's own. */
  readonly #directories = new Map<string, bigint | undefined>([["", undefined]]);
  readonly #others = new Set<string>();
  readonly #dataMax: number;
  #entries = 0;
  #bytes = 0;
  #hidesEtc = false;
  #current: TarEntry | undefined;

  /** @param dataMax the content of one step, at most */
  constructor(emit: (step: Step) => void, limits: LayerLimits, dataMax = dataMaxDefault) {
    this.#emit = emit;
    this.#limits = limits;
    this.#dataMax = dataMax;
  }

  /** Directories that have entries in them but no entry of their own. */
  get implied(): string[] {
    return [...this.#directories].flatMap(([path, mtimeNs]) => (mtimeNs === undefined && path !== "" ? [path] : []));
  }

  /** Content of all files together, as Docker counts a layer's size. */
  get contentBytes(): number {
    return this.#bytes;
  }

  /** Whether this layer has an /etc that hides /etc of the layers below. */
  get hidesEtc(): boolean {
    return this.#hidesEtc;
  }

  /** The steps before the first entry. */
  begin(directory: string): void {
    this.#emit({ op: "layer", why: "the layer is unpacked here", path: directory });
  }

  entry(entry: TarEntry): void {
    this.#entries++;
    this.#bytes += entry.size;
    if (this.#entries > this.#limits.entriesMax) throw refuse(entry, `over ${this.#limits.entriesMax} entries`);
    if (this.#bytes > this.#limits.bytesMax) throw refuse(entry, `over ${this.#limits.bytesMax} bytes`);
    const path = cleanPath(entry.path, entry);
    const slash = path.lastIndexOf("/");
    const name = path.slice(slash + 1);
    const parent = path.slice(0, Math.max(slash, 0));
    this.#makeParents(parent, entry);
    if (name.startsWith(whiteoutPrefix)) {
      this.#current = undefined;
      this.#whiteout(parent, name, entry);
    } else {
      this.#current = entry;
      this.#make(path as ByteString, entry);
    }
  }

  data(chunk: Uint8Array, offset: number): void {
    if (this.#current === undefined) return; // content of a whiteout marker is ignored
    for (let at = 0; at < chunk.length; at += this.#dataMax)
      this.#emit({ op: "layer-data", why, offset: offset + at, data: chunk.subarray(at, at + this.#dataMax) });
  }

  finish(): void {
    for (const [name, value] of this.#current?.xattrs ?? [])
      this.#emit({ op: "layer-xattr", why, name: bytesOf(name), value });
  }

  /** The steps after the last entry. sync: make the layer durable now. */
  end(sync: boolean): void {
    for (const [path, mtimeNs] of this.#directories)
      if (mtimeNs !== undefined)
        this.#emit({ op: "layer-time", why, path: bytesOf(path as ByteString), mtimeNs: signed(mtimeNs) });
    this.#emit({ op: "layer-end", why: "the layer is whole", sync: sync ? 1 : 0 });
  }

  #make(path: ByteString, entry: TarEntry): void {
    const { kind, mode, uid, gid } = entry;
    this.#check(path, entry);
    const place = bytesOf(path);
    const mtimeNs = signed(entry.mtimeNs);
    if (kind === "directory") {
      this.#others.delete(path);
      this.#directories.set(path, entry.mtimeNs);
      this.#emit({ op: "layer-directory", why, path: place, mode, uid, gid });
      return;
    }
    this.#directories.delete(path);
    this.#others.add(path);
    const nodeKind = nodeKinds[kind];
    if (nodeKind !== undefined) {
      const { major, minor } = entry;
      this.#emit({ op: "layer-node", why, path: place, kind: nodeKind, mode, uid, gid, mtimeNs, major, minor });
    } else if (kind === "symlink") {
      this.#emit({ op: "layer-symlink", why, path: place, target: bytesOf(entry.link), uid, gid, mtimeNs });
    } else if (kind === "hardlink") {
      this.#emit({ op: "layer-link", why, path: place, target: bytesOf(this.#linkTarget(path, entry)) });
    } else {
      this.#emit({ op: "layer-file", why, path: place, mode, uid, gid, mtimeNs, size: entry.size });
    }
  }

  #check(path: string, entry: TarEntry): void {
    if (path === "" && entry.kind !== "directory") throw refuse(entry, "it would replace the root directory");
    if (entry.kind === "character" && entry.major === 0 && entry.minor === 0)
      throw refuse(entry, "device 0:0 is overlayfs's own mark");
    if (entry.kind === "symlink" && (entry.link === "" || entry.link.includes("\0")))
      throw refuse(entry, "its target is empty or has a NUL");
    for (const [name] of entry.xattrs)
      if (/^(trusted|user)\.overlay\./.test(name)) throw refuse(entry, `attribute ${name} is overlayfs's own mark`);
  }

  #linkTarget(path: string, entry: TarEntry): ByteString {
    const target = cleanPath(entry.link, entry);
    if (target === path) throw refuse(entry, "a hard link to itself");
    if (!this.#others.has(target))
      throw refuse(entry, `its hard link's target ${displayOf(entry.link)} is not in this layer`);
    return target as ByteString;
  }

  /** Makes directories that have entries in them but no entry of their own, as Docker does. */
  #makeParents(path: string, entry: TarEntry): void {
    if (this.#directories.has(path)) return;
    this.#makeParents(path.slice(0, Math.max(path.lastIndexOf("/"), 0)), entry);
    if (this.#others.has(path))
      throw refuse(entry, `${displayOf(path as ByteString)}, which it lies in, is not a directory`);
    this.#directories.set(path, undefined);
    const place = bytesOf(path as ByteString);
    this.#emit({ op: "layer-directory", why: "entries lie in it", path: place, mode: 0o755, uid: 0, gid: 0 });
  }

  #whiteout(parent: string, name: string, entry: TarEntry): void {
    if (name === opaqueMarker) {
      if (parent === "" || parent === "etc") this.#hidesEtc = true;
      this.#emit({ op: "layer-opaque", why, path: bytesOf(parent as ByteString) });
    } else if (!name.startsWith(metadataPrefix)) {
      const hidden = name.slice(whiteoutPrefix.length);
      if (hidden === "" || hidden === "." || hidden === "..") throw refuse(entry, "it hides nothing that has a name");
      const path = parent === "" ? hidden : `${parent}/${hidden}`;
      this.#emit({ op: "layer-whiteout", why, path: bytesOf(path as ByteString) });
    }
  }
}

/** The path without `.` and doubled slashes. @throws {OrlopError} layer_refused: absolute, `..`, a name that is too long */
function cleanPath(written: ByteString, entry: TarEntry): string {
  if (written.startsWith("/")) throw refuse(entry, "an absolute name");
  if (isClean(written)) return written;
  const parts = written.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) throw refuse(entry, "a name with ..");
  if (parts.some((part) => part.length > nameMax)) throw refuse(entry, `a part of its name is over ${nameMax} bytes`);
  return parts.join("/");
}

/** The fast path for most names: whether there is nothing to remove and nothing to refuse. */
function isClean(path: string): boolean {
  return (
    path.length <= nameMax &&
    !path.endsWith("/") &&
    !path.startsWith(".") &&
    !path.includes("/.") &&
    !path.includes("//")
  );
}

function refuse(entry: TarEntry, reason: string): OrlopError {
  return OrlopError.of("layer_refused", { entry: displayOf(entry.path), reason });
}

/** As two's complement of 64 bits, clamped to the times that the kernel can hold. */
function signed(ns: bigint): bigint {
  const limit = 2n ** 63n;
  return BigInt.asUintN(64, ns >= limit ? limit - 1n : ns < -limit ? -limit : ns);
}
