/** Reads trees with the real executor, one process for each. */
import { spawn } from "node:child_process";
import { Duplex } from "node:stream";
import type { Step } from "../../src/kernel/step.ts";
import type { TreeRecord } from "../../src/kernel/tree-record.ts";
import { TreeStream } from "../../src/kernel/tree-stream.ts";
import { sparseMinBytes, tarOfTree } from "../../src/storage/tree-tar.ts";
import { executorPath } from "./harness.ts";

/** A stream from a fresh executor. pid: the executor's. */
export function openTree(env: Readonly<Record<string, string>> = {}): {
  readonly stream: TreeStream;
  readonly pid: number;
} {
  const { stdin, stdout, pid } = spawn(executorPath, ["plan"], { stdio: ["pipe", "pipe", "inherit"], env: { ...env } });
  return { stream: new TreeStream(Duplex.from({ writable: stdin, readable: stdout } as never)), pid: pid ?? 0 };
}

export interface WalkCase {
  /** The root, a host path. */
  readonly root: string;
  readonly path?: string;
  readonly flags?: number;
  readonly below?: string;
  readonly sparse?: number;
  readonly enter?: readonly string[];
}

const why = "a test reads it";

export function walkSteps(options: WalkCase): Step[] {
  const { root, path = "/", flags = 1, below, sparse = sparseMinBytes, enter = [] } = options;
  return [
    { op: "root", why, path: root },
    ...(below === undefined ? [] : [{ op: "tree-below", why, path: below } as const]),
    { op: "tree-walk", why, path, follow: 0, flags, sparse, enter },
  ];
}

/** All records of a walk. */
export async function walkTree(options: WalkCase): Promise<TreeRecord[]> {
  const records: TreeRecord[] = [];
  for await (const batch of openTree().stream.read(walkSteps(options))) records.push(...batch);
  return records;
}

/** The whole tree as an archive of "./NAME"s. */
export async function archiveTree(options: WalkCase): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  const nameOf = (path: string): string => (path === "" ? "." : `./${path}`);
  for await (const piece of tarOfTree(openTree().stream.read(walkSteps(options)), { nameOf })) pieces.push(piece);
  return Buffer.concat(pieces);
}
