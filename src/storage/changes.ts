/**
 * What a container changed: the records of its upper directory, without entries that are there for other reasons: files that were
 * copied up and are equal, directories that only contain changes, mount points that the start made. Pure.
 */
import { S_IFDIR, S_IFMT, S_IFREG } from "../kernel/linux.ts";
import type { TreeNode, TreeRecord } from "../kernel/tree-record.ts";

/** An entry with its records so far. */
interface Group {
  readonly node: TreeNode;
  readonly records: TreeRecord[];
}

export interface ChangeOptions {
  /** Mount points of the start, as paths below the layer ("etc/hosts"): made where the image has none. */
  readonly mountPoints: ReadonlySet<string>;
}

/** Passes changes on, each after the directories that contain it. */
export class ChangeFilter {
  readonly #mountPoints: ReadonlySet<string>;
  /** Directories that are passed on only if something in them is. */
  readonly #waiting: Group[] = [];
  #current: "pass" | "wait" | "drop" = "drop";
  /** Everything in an opaque directory is a change: it hides the layers below. */
  #opaque: string | undefined;

  constructor(options: ChangeOptions) {
    this.#mountPoints = options.mountPoints;
  }

  /** The records that can be passed on now. */
  take(record: TreeRecord): TreeRecord[] {
    if (record.kind === "entry") return this.#entry(record.node, record);
    if (record.kind === "walk-end" || this.#current === "pass") return [record];
    if (this.#current === "wait") this.#waiting.at(-1)?.records.push(record);
    return [];
  }

  #entry(node: TreeNode, record: TreeRecord): TreeRecord[] {
    while (this.#waiting.length > 0 && !isBelow(node.path, this.#waiting.at(-1)?.node.path ?? "")) this.#waiting.pop();
    if (this.#opaque !== undefined && !isBelow(node.path, this.#opaque)) this.#opaque = undefined;
    this.#current = this.#judge(node);
    if (node.isOpaque && this.#opaque === undefined) this.#opaque = node.path;
    if (this.#current === "wait") this.#waiting.push({ node, records: [record] });
    if (this.#current !== "pass") return [];
    return [...this.#waiting.splice(0).flatMap(({ records }) => records), record];
  }

  #judge(node: TreeNode): "pass" | "wait" | "drop" {
    const isDirectory = (node.mode & S_IFMT) === S_IFDIR;
    if (node.isWhiteout) return node.isBelow ? "pass" : "drop";
    if (this.#mountPoints.has(node.path) && !node.isBelow && !node.isHidden) {
      if (isDirectory) return "wait";
      if ((node.mode & S_IFMT) === S_IFREG && node.size === 0) return "drop";
    }
    if (this.#opaque !== undefined) return "pass";
    if (node.isSame) return isDirectory ? "wait" : "drop";
    if (node.isTouched && isDirectory && this.#holdsMountPoint(node.path)) return "wait";
    return "pass";
  }

  /** Whether its time differs only because a mount point was made in it. */
  #holdsMountPoint(path: string): boolean {
    return [...this.#mountPoints].some((one) => one.slice(0, Math.max(one.lastIndexOf("/"), 0)) === path);
  }
}

function isBelow(path: string, directory: string): boolean {
  return path !== directory && (directory === "" || path.startsWith(`${directory}/`));
}

export type ChangeKind = "modified" | "added" | "deleted";

export interface Change {
  readonly kind: ChangeKind;
  /** Bytes as a string (latin1). */
  readonly path: string;
}

/** The change that an entry is; undefined for the root itself. */
export function changeOf(node: TreeNode): Change | undefined {
  if (node.path === "") return undefined;
  const kind = node.isWhiteout || node.isHidden ? "deleted" : node.isBelow ? "modified" : "added";
  return { kind, path: node.path };
}
