/**
 * What keeps a container's network namespace alive: until the container runs, a bind mount; then its first process, and the mount is
 * removed. A thousand such mounts would be copied at every start, and slow down everybody who reads the machine's mount table.
 */

import { lstatSync, renameSync, rmSync, type Stats, statSync, symlinkSync } from "node:fs";
import { OrlopError } from "../../base/errors.ts";
import type { Step } from "../../kernel/step.ts";
import { enterNamespace } from "../../network/plan-sandbox.ts";
import { readStartTicks } from "../containers/sharing.ts";
import type { NamespaceHolder, SandboxRecord } from "./sandbox-record.ts";

export const namespaceOf = (pid: number): string => `/proc/${pid}/ns/net`;

/**
 * The record of the process that holds the namespace from now on.
 *
 * @param path the namespace's mount, or what an engine left there that was killed during the hand-over
 * @returns undefined if the process has ended, or has entered another namespace
 */
export function holderFor(path: string, pid: number, known: NamespaceHolder | undefined): NamespaceHolder | undefined {
  const startTicks = readStartTicks(pid);
  const own = look(namespaceOf(pid));
  if (startTicks === undefined || own === undefined) return undefined;
  const there = look(path);
  const isKept = there?.dev === own.dev;
  const inode = isKept ? there.ino : known?.inode;
  return inode === own.ino ? { pid, startTicks, inode } : undefined;
}

export function isHandedOver(path: string, { holder }: SandboxRecord): boolean {
  return holder !== undefined && lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
}

export function planHandingOver(path: string): Step[] {
  return [{ op: "detach", path, why: "the container's first process holds its network namespace by now" }];
}

/** Makes `path` a symbolic link to `target`, atomically (by rename), so that it is never missing. */
export function replaceLink(path: string, target: string): void {
  const made = `${path}.new`;
  rmSync(made, { force: true });
  symlinkSync(target, made);
  renameSync(made, path);
}

/** Whether the process has ended. The end of its container may not be reported yet. */
export function hasEnded({ pid, startTicks }: NamespaceHolder): boolean {
  return look(namespaceOf(pid)) === undefined || readStartTicks(pid) !== startTicks;
}

/** Steps that enter the namespace. If the process that holds it has ended, the step `target` fails with ESRCH. @throws {OrlopError} network_left */
export function enterSandbox(path: string, { holder }: Pick<SandboxRecord, "holder">): Step[] {
  if (holder === undefined) return [enterNamespace(path)];
  const { pid, startTicks, inode } = holder;
  if (!hasEnded(holder) && look(namespaceOf(pid))?.ino !== inode) throw OrlopError.of("network_left", { pid });
  const why = "the container's first process, which holds its network namespace, and no other";
  return [{ op: "target", pid, started: startTicks, why }, enterNamespace(namespaceOf(pid))];
}

/** undefined if the path does not exist: the process may end at any moment. */
function look(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}
