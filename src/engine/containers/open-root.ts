/**
 * Opens a container's root file system in a task of the executor. While the container runs, the task joins its mount namespace, and so
 * sees its mounts; otherwise the task mounts the root as a start would, in a mount namespace of its own.
 */

import { OrlopError } from "../../base/errors.ts";
import { CLONE_NEWNS, S_IFDIR, S_IFMT } from "../../kernel/linux.ts";
import { StreamedStepFailure } from "../../kernel/plan-stream.ts";
import type { Step } from "../../kernel/step.ts";
import type { TreeNode } from "../../kernel/tree-record.ts";
import { TreeStream } from "../../kernel/tree-stream.ts";
import { planMounts } from "../../runtime/plan-mounts.ts";
import { type ByteString, bytesOf } from "../../spec/tar-entry.ts";
import { type Access, planView } from "../../storage/view.ts";
import type { EngineParts } from "../engine-parts.ts";
import { volumesOf } from "../mounts/mount-point.ts";
import type { AskedPath } from "./archive-path.ts";
import { planStart, type StartPlan } from "./container-plan.ts";
import type { ContainerRecord } from "./container-record.ts";
import { asPrivate, isInKernels, isOwnMount } from "./seen-mounts.ts";

/** The container's state at this moment. */
export interface RootSource {
  readonly record: ContainerRecord;
  readonly isRunning: boolean;
  /** The path of its monitor's socket. */
  readonly socket: string;
}

/** A task that sees the container's root, and what it found at a path. */
export interface OpenRoot {
  readonly stream: TreeStream;
  readonly node: TreeNode;
  readonly plan: StartPlan;
}

/** Opens the root, and looks up a path. @throws {OrlopError} file_not_found, ended_meanwhile */
export async function openRoot(
  parts: EngineParts,
  source: RootSource,
  asked: AskedPath,
  access: Access,
): Promise<OpenRoot> {
  const { isRunning, record: container } = source;
  const { pid } = container.run;
  const plan = planStart(container.id, container, parts);
  const stream = new TreeStream(await parts.executor.connectTask());
  try {
    const [record] = await stream.ask(await planOpening(parts, source, plan, asked, access));
    if (isRunning) await checkIsSameProcess(parts, source);
    if (record?.kind !== "entry") throw OrlopError.of("executor_lost", { reason: "no answer to tree-stat" });
    if (isInKernels(placeOf(record.node), plan))
      throw OrlopError.of("file_not_found", { path: asked.path, container: container.name });
    if (asked.isDirectory && (record.node.mode & S_IFMT) !== S_IFDIR)
      throw OrlopError.of("file_not_found", { path: `${asked.path}/`, container: container.name });
    return { stream, node: record.node, plan };
  } catch (error) {
    stream.close();
    if (isRunning && error instanceof StreamedStepFailure && error.detail === namespaceOf(pid))
      throw ended(container, error);
    throw explainFileError(error, container, asked.path);
  }
}

/** Steps that open the root, and look at a path. */
export async function planOpening(
  parts: EngineParts,
  { record: container, isRunning }: RootSource,
  plan: StartPlan,
  asked: AskedPath,
  access: Access,
): Promise<Step[]> {
  const root = isRunning ? joinSteps(container.run.pid) : await stoppedSteps(parts, container, plan, access);
  const follow = asked.follow ? 1 : 0;
  return [...root, { op: "tree-stat", path: asked.path, follow, why: "what the path names" }];
}

async function stoppedSteps(
  parts: EngineParts,
  { mounts }: ContainerRecord,
  plan: StartPlan,
  access: Access,
): Promise<Step[]> {
  const view = plan.root.inMemory ? "write" : access;
  const binds = (plan.spec.mounts ?? []).filter(isOwnMount).map(asPrivate);
  const volumes = await parts.volumes.planViewMounts(volumesOf(mounts));
  const group = { layout: parts.machine.cgroups, path: plan.groupPath };
  return [...planView(plan.root, view, `${parts.places.runDir}/view`), ...volumes, ...planMounts(binds, group)];
}

/**
 * Checks that the namespace that was joined belongs to the container, not to another process that got its pid. Asking the monitor
 * after the join is safe: a pid cannot be reused before its parent, the monitor, has reaped the process.
 */
async function checkIsSameProcess(parts: EngineParts, { record, socket }: RootSource): Promise<void> {
  const link = await parts.executor.connectMonitor(socket).catch((error: unknown) => {
    throw ended(record, error);
  });
  const isSame = link.pid === record.run.pid;
  link[Symbol.dispose]();
  if (!isSame) throw ended(record, undefined);
}

function ended({ name }: ContainerRecord, cause: unknown): OrlopError {
  return OrlopError.of("ended_meanwhile", { name }, cause);
}

/** The error for the caller, for a step that failed in such a task. */
export function explainFileError(error: unknown, { name }: ContainerRecord, path: string): unknown {
  if (!(error instanceof StreamedStepFailure)) return error;
  const { errno, detail } = error;
  if (errno === "ENOENT" || errno === "ENOTDIR" || errno === "ELOOP")
    if (detail === path || detail === "") return OrlopError.of("file_not_found", { path, container: name }, error);
  if (errno === "EISDIR") return OrlopError.of("no_overwrite_directory", { path: detail }, error);
  if (errno === "ENOTDIR") return OrlopError.of("no_overwrite_file", { path: detail }, error);
  if (errno === "EROFS") return OrlopError.of("read_only_root", {}, error);
  if (errno === "ENOENT")
    return OrlopError.of("copy_refused", { entry: detail, reason: "what it names is not there" }, error);
  return OrlopError.of("files_failed", { errno, detail }, error);
}

const namespaceOf = (pid: number): string => `/proc/${pid}/ns/mnt`;

function joinSteps(pid: number): Step[] {
  return [
    { op: "setns", path: namespaceOf(pid), flags: CLONE_NEWNS, why: "what the container sees, its mounts too" },
    { op: "root", path: "/", why: "the container's root" },
  ];
}

/** The resolved path of a node as text; "" if it is not valid UTF-8. */
export function placeOf(node: TreeNode): string {
  const text = bytesOf(node.place as ByteString).toString("utf8");
  return text.includes("\ufffd") ? "" : text;
}
