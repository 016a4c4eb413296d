/**
 * Whose a container's network namespace is. Until the container runs a mount keeps it; then its first process does, and the mount
 * goes: one for each of a thousand containers would be copied at every start, and read by everybody who looks at the machine's mounts.
 */

import { lstatSync, renameSync, rmSync, type Stats, statSync, symlinkSync } from "node:fs";
import { OrlopError } from "../../base/errors.ts";
import type { Step } from "../../kernel/step.ts";
import { enterNamespace } from "../../network/plan-sandbox.ts";
import { readStartTicks } from "../containers/sharing.ts";
import type { NamespaceHolder, SandboxRecord } from "./sandbox-record.ts";

export const namespaceOf = (pid: number): string => `/proc/${pid}/ns/net`;

/**
 * What is to be written down of the process that holds it from now on.
 *
 * @param path of the namespace: a mount, or what an engine left that was killed in the middle of this
 * @returns undefined where the process has ended, or is in another namespace by now
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

/** Makes the path a link to this, or another one that it was: by rename, so that it always leads somewhere. */
export function lead(path: string, target: string): void {
  const made = `${path}.new`;
  rmSync(made, { force: true });
  symlinkSync(target, made);
  renameSync(made, path);
}

/** Whether that process is no more: its container ends, which may not have been told yet. */
export function hasEnded({ pid, startTicks }: NamespaceHolder): boolean {
  return look(namespaceOf(pid)) === undefined || readStartTicks(pid) !== startTicks;
}

/** Into the namespace, by whatever holds it; ESRCH at `target` where that has ended. @throws {OrlopError} network_left */
export function enterSandbox(path: string, { holder }: Pick<SandboxRecord, "holder">): Step[] {
  if (holder === undefined) return [enterNamespace(path)];
  const { pid, startTicks, inode } = holder;
  if (!hasEnded(holder) && look(namespaceOf(pid))?.ino !== inode) throw OrlopError.of("network_left", { pid });
  const why = "the container's first process, which holds its network namespace, and no other";
  return [{ op: "target", pid, started: startTicks, why }, enterNamespace(namespaceOf(pid))];
}

/** undefined where there is nothing: the process may end at any moment. */
function look(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}
