/** Why a container did not start, with the messages from which Docker's clients derive their exit codes 127 and 126. */

import { OrlopError, type Started } from "../../base/errors.ts";
import { StepFailure } from "../../kernel/executor.ts";
import { rlimitName } from "../../kernel/rlimits.ts";
import type { Step } from "../../kernel/step.ts";
import { isFull } from "../../platform/sqlite.ts";
import type { RuntimeSpec } from "../../spec/runtime-spec.ts";

export interface StartFailure {
  readonly error: OrlopError;
  /** As in `inspect`. */
  readonly exitCode: number;
}

/** @param spec undefined if the start failed before there was a plan */
export function explainFailure(
  failure: unknown,
  spec: RuntimeSpec | undefined,
  started: Started = "container",
): StartFailure {
  if (!(failure instanceof StepFailure))
    return { error: asOrlopError(failure), exitCode: started === "exec" ? 126 : 128 };
  const { step, errno, detail } = failure;
  const command = spec?.process.args[0] ?? "";
  if (step?.op === "exec" || step?.op === "init") {
    if (errno === "ENOENT" && !command.includes("/"))
      return { error: OrlopError.of("exec_not_in_path", { command, started }, failure), exitCode: 127 };
    if (errno === "ENOENT" || errno === "ENOTDIR")
      return { error: OrlopError.of("exec_not_found", { command, started }, failure), exitCode: 127 };
    if (errno === "EACCES" || errno === "EPERM")
      return { error: OrlopError.of("exec_denied", { command, started }, failure), exitCode: 126 };
    if (errno === "EISDIR")
      return { error: OrlopError.of("exec_is_directory", { command, started }, failure), exitCode: 126 };
    if (errno === "E2BIG")
      return { error: OrlopError.of("exec_too_long", { command, started }, failure), exitCode: 126 };
    if (errno === "ENOEXEC")
      return { error: OrlopError.of("exec_format", { command, started }, failure), exitCode: 126 };
  }
  if (step?.op === "cwd")
    return {
      error: OrlopError.of("cwd_failed", { path: step.path, reason: reasonOf(errno, detail), started }, failure),
      exitCode: started === "exec" ? 126 : 128,
    };
  if (isMounting(step) && !systemErrors.has(errno)) {
    const source = step.op === "root-bind-below" ? `${step.source}/${step.below}` : step.source;
    const parameters = { source, target: step.target, reason: reasonOf(errno, detail) };
    return { error: OrlopError.of("mount_failed", parameters, failure), exitCode: 128 };
  }
  if (isKilled(step, errno)) {
    const error = OrlopError.of(
      "executor_lost",
      { reason: "the new process was killed before its program ran" },
      failure,
    );
    return { error, exitCode: started === "exec" ? 126 : 128 };
  }
  const setting = systemErrors.has(errno) ? undefined : settingOf(step);
  if (setting !== undefined) {
    const error = OrlopError.of("setting_refused", { setting, reason: reasonOf(errno, detail), started }, failure);
    return { error, exitCode: started === "exec" ? 126 : 128 };
  }
  const error = OrlopError.of(
    "step_failed",
    {
      step: step?.op ?? "protocol",
      errno: reasonOf(errno, detail),
      why: step?.why ?? "every plan has it",
    },
    failure,
  );
  return { error, exitCode: started === "exec" ? 126 : 128 };
}

/** The new process ended without reporting a failure, before its program ran: somebody else killed it. */
function isKilled(step: Step | undefined, errno: string): boolean {
  if (step?.op === "spawn") return errno === "ESRCH";
  return step?.op === "continue" && (errno === "ECONNRESET" || errno === "EPIPE");
}

/** Steps for mounts of the request. They fail if the mount does not fit the image, the volume or the host. */
function isMounting(
  step: Step | undefined,
): step is Extract<Step, { readonly op: "root-bind" | "root-bind-below" | "root-mount" }> {
  return step?.op === "root-bind" || step?.op === "root-bind-below" || step?.op === "root-mount";
}

/** The setting of the request that a step applies, which the kernel may refuse. */
function settingOf(step: Step | undefined): string | undefined {
  if (step?.op === "sysctl") return `sysctl ${step.key.replaceAll("/", ".")}=${step.value}`;
  if (step?.op === "rlimit") return `ulimit ${rlimitName(Number(step.resource))}=${step.soft}:${step.hard}`;
  if (step?.op === "oom-score") return `oom score adjustment ${step.score}`;
  if (step?.op === "root-mknod") return `device ${step.path}`;
  if (step?.op === "write" && /\/(blkio|io|cpu|cpuset|memory|pids)\.[a-z_.]+$/.test(step.path))
    return `limit ${step.path.replace(/^.*\//, "")}=${new TextDecoder().decode(step.data).trim()}`;
  return undefined;
}

/** Errors that are not caused by the request. */
const systemErrors: ReadonlySet<string> = new Set(["EIO", "ENOMEM", "ENOSPC", "EDQUOT", "EMFILE", "ENFILE", "EBADF"]);

/** Whether the same start may succeed later: the machine was out of a resource (disk, memory), or the task was killed. */
export function isTemporary(failure: unknown): boolean {
  if (!(failure instanceof Error)) return false;
  if (failure instanceof OrlopError && failure.code === "executor_lost") return true;
  const errno = failure instanceof StepFailure ? failure.errno : (failure as NodeJS.ErrnoException).code;
  return systemErrors.has(errno ?? "") || isFull(failure) || isTemporary(failure.cause);
}

function reasonOf(errno: string, detail: string): string {
  return detail === "" ? errno : `${errno}: ${detail}`;
}

function asOrlopError(failure: unknown): OrlopError {
  if (failure instanceof OrlopError) return failure;
  return OrlopError.of("internal", { reason: failure instanceof Error ? failure.message : String(failure) }, failure);
}
