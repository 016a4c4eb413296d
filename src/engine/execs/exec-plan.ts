/** The plan of an exec: the container's create body with the exec's own fields in it. Reads files, changes nothing. */

import { OrlopError } from "../../base/errors.ts";
import { StepFailure } from "../../kernel/executor.ts";
import type { Step } from "../../kernel/step.ts";
import { groupPathOf } from "../../runtime/plan-container.ts";
import { planExec } from "../../runtime/plan-exec.ts";
import type { ContainerCreateBody } from "../../spec/engine-api-container.ts";
import type { ExecCreateBody } from "../../spec/engine-api-exec.ts";
import type { CapabilitySets, RuntimeSpec } from "../../spec/runtime-spec.ts";
import { type PlanSurroundings, resolveUserOf } from "../containers/container-plan.ts";
import type { ContainerRecord } from "../containers/container-record.ts";
import { containerSpec } from "../containers/container-spec.ts";
import { noDonations, readStartTicks } from "../containers/sharing.ts";
import { hasOwnFilter, securityOf } from "../containers/spec-security.ts";
import type { ExecPlaces } from "./exec-record.ts";

export interface ExecPlanRequest {
  readonly container: Pick<ContainerRecord, "id" | "name" | "body" | "image">;
  /** The container's environment variables for links. */
  readonly environment: readonly string[];
  /** The container's first process. */
  readonly pid: number;
  readonly body: ExecCreateBody;
  readonly consoleSize: readonly [rows: number, columns: number];
  /** Nobody attaches: its streams are /dev/null. */
  readonly detached: boolean;
  readonly places: ExecPlaces;
}

export interface ExecPlan {
  readonly steps: readonly Step[];
  readonly spec: RuntimeSpec;
}

/** @throws {OrlopError} bad_value for an unknown user … */
export function planExecStart(request: ExecPlanRequest, surroundings: PlanSurroundings): ExecPlan {
  const { container, body, detached, places } = request;
  const { machine } = surroundings;
  const asked = bodyOf(container.body, body, request.consoleSize);
  const user = resolveUserOf(container.id, { ...container, body: asked }, surroundings);
  // The exec joins the container's mounts, devices and limits: they are not planned again.
  const there = { devices: [], mounts: [], sandboxPath: "", findDevice: () => ({ major: 0, minor: 0 }) };
  const donations = { ...noDonations, environment: request.environment };
  const spec = containerSpec({ id: container.id, body: asked, user, machine, donations, ...there });
  const attaches = (stream: boolean): boolean => stream && !detached;
  const steps = planExec({
    id: container.id,
    process: body.Privileged
      ? { ...spec.process, capabilities: allCapabilities(user.uid, request, machine) }
      : spec.process,
    linux: spec.linux ?? {},
    hasOwnFilter: hasOwnFilter(container.body.HostConfig),
    groupPath: groupPathOf(container.id, spec),
    target: { pid: request.pid, startTicks: startTicksOf(request) },
    cgroups: machine.cgroups,
    host: machine.host,
    monitor: {
      socketPath: places.socket,
      exitRecord: { path: places.exitRecord, sync: false, wake: "" },
      log: undefined,
      streams: {
        stdin: attaches(body.AttachStdin),
        stdout: attaches(body.AttachStdout),
        stderr: attaches(body.AttachStderr),
      },
      keepStdin: false,
    },
  });
  return { steps, spec };
}

/** The body of a container whose process would be the exec's. */
function bodyOf(
  container: ContainerCreateBody,
  exec: ExecCreateBody,
  ConsoleSize: readonly [number, number],
): ContainerCreateBody {
  return {
    ...container,
    Entrypoint: null,
    Cmd: exec.Cmd,
    Env: [...container.Env, ...exec.Env],
    Tty: exec.Tty,
    User: exec.User || container.User,
    WorkingDir: exec.WorkingDir || container.WorkingDir,
    HostConfig: { ...container.HostConfig, ConsoleSize },
  };
}

/** An exec's `--privileged` gives all capabilities, but keeps the container's seccomp filter, as in Docker. */
function allCapabilities(
  uid: number,
  { container }: ExecPlanRequest,
  machine: PlanSurroundings["machine"],
): CapabilitySets {
  return securityOf({ ...container.body.HostConfig, CapAdd: ["ALL"], CapDrop: [] }, uid, machine).capabilities;
}

function startTicksOf({ container: { id, name }, pid }: ExecPlanRequest): number {
  const ticks = readStartTicks(pid);
  if (ticks === undefined) throw OrlopError.of("container_not_running", { id, name });
  return ticks;
}

/** Whether a plan failed because the container's first process has ended, or is ending. */
export function isContainerGone(failure: unknown): boolean {
  if (!(failure instanceof StepFailure) || failure.errno !== "ESRCH") return false;
  return failure.step?.op === "target" || failure.step?.op === "join";
}
