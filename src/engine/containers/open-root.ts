/**
 * A task that sees a container's root. While the container runs, its own mount namespace is joined, so that its mounts are seen;
 * else its root is put together as its start would, for this task alone.
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

/** What the container is like at this moment. */
export interface RootSeen {
  readonly record: ContainerRecord;
  readonly isRunning: boolean;
  /** Its monitor's. */
  readonly socket: string;
}

/** A task that sees the container's root, and what it said of a path. */
export interface OpenRoot {
  readonly stream: TreeStream;
  readonly node: TreeNode;
  readonly plan: StartPlan;
}

/** Opens the root, and looks at a path. @throws {OrlopError} file_not_found, ended_meanwhile */
export async function openRoot(
  parts: EngineParts,
  seen: RootSeen,
  asked: AskedPath,
  access: Access,
): Promise<OpenRoot> {
  const { isRunning, record: container } = seen;
  const { pid } = container.run;
  const plan = planStart(container.id, container, parts);
  const stream = new TreeStream(await parts.executor.connectTask());
  const look: Step = {
    op: "tree-stat",
    path: asked.path,
    follow: asked.follow ? 1 : 0,
    why: "what the path names",
  };
  try {
    const root = isRunning ? joinSteps(pid) : await stoppedSteps(parts, container, plan, access);
    const [record] = await stream.ask([...root, look]);
    if (isRunning) await checkRuns(parts, seen);
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
    throw explained(error, container, asked.path);
  }
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
 * Whether the process whose namespace was joined is the container's: its monitor says so after the joining, and only the
 * monitor could have made room for another process of this number.
 */
async function checkRuns(parts: EngineParts, { record, socket }: RootSeen): Promise<void> {
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

/** What a task refuses, in the caller's words. */
export function explained(error: unknown, { name }: ContainerRecord, path: string): unknown {
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

/** A path of the executor's as text; "" where it is none. */
export function placeOf(node: TreeNode): string {
  const text = bytesOf(node.place as ByteString).toString("utf8");
  return text.includes("\ufffd") ? "" : text;
}
