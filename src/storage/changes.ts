/**
 * What a container changed: the records of its upper directory, without what is there for other reasons. Files that were
 * copied up and are the same, directories that only lead to changes, mount points that the start made. Pure.
 */
import { S_IFDIR, S_IFMT, S_IFREG } from "../kernel/linux.ts";
import type { TreeNode, TreeRecord } from "../kernel/tree-record.ts";

/** An entry with what was told of it so far. */
interface Group {
  readonly node: TreeNode;
  readonly records: TreeRecord[];
}

export interface ChangeOptions {
  /** Paths below the layer, as "etc/hosts": what the start puts a mount on, made where the image has none. */
  readonly mountPoints: ReadonlySet<string>;
}

/** Lets changes through, each behind the directories that it lies in. */
export class ChangeFilter {
  readonly #mountPoints: ReadonlySet<string>;
  /** Directories that are told only when something in them is. */
  readonly #waiting: Group[] = [];
  #current: "pass" | "wait" | "drop" = "drop";
  /** Below an opaque directory nothing of what is below is seen: all of it is a change. */
  #opaque: string | undefined;

  constructor(options: ChangeOptions) {
    this.#mountPoints = options.mountPoints;
  }

  /** What can be told now. */
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

  /** A mount point was made in it, which is why its time is another. */
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
