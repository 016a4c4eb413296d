/** Freezing and thawing all processes of a group. v1 has a freezer hierarchy, v2 a file in each group. */

import { OrlopError } from "../../base/errors.ts";
import type { Step } from "../step.ts";
import { checkGroupPath } from "./group.ts";
import { type CgroupLayout, hierarchyOf, isUnified } from "./layout.ts";
import type { ReadText } from "./parent.ts";

const bytes = new TextEncoder();

/** A process that waits in the kernel for a disk or a network file system can only be frozen after that. */
const FREEZE_TIMEOUT_MS = 10_000;

interface Freezer {
  /** The file that is written, and the values for it. */
  readonly control: string;
  readonly freeze: string;
  readonly thaw: string;
  /** The file with the state, and its line once the state is reached. */
  readonly state: string;
  readonly frozen: string;
  readonly thawed: string;
}

/** @throws {OrlopError} limit_unsupported on a v1 machine without the freezer */
function freezerOf(layout: CgroupLayout, path: string): Freezer {
  checkGroupPath(path);
  if (layout.v2 !== undefined && isUnified(layout)) {
    const group = layout.v2.mountPoint + path;
    return {
      control: `${group}/cgroup.freeze`,
      freeze: "1",
      thaw: "0",
      state: `${group}/cgroup.events`,
      frozen: "frozen 1",
      thawed: "frozen 0",
    };
  }
  const hierarchy = hierarchyOf(layout, "freezer");
  if (hierarchy === undefined)
    throw OrlopError.of("limit_unsupported", { limit: "pausing a container", needs: "the cgroup controller freezer" });
  const state = `${hierarchy.mountPoint}${path}/freezer.state`;
  return { control: state, freeze: "FROZEN", thaw: "THAWED", state, frozen: "FROZEN", thawed: "THAWED" };
}

/** After these steps no process of the group runs. */
export function planFreeze(layout: CgroupLayout, path: string): Step[] {
  const { control, freeze, state, frozen } = freezerOf(layout, path);
  return [
    {
      op: "write-until",
      path: control,
      data: bytes.encode(freeze),
      state,
      line: frozen,
      timeoutMs: FREEZE_TIMEOUT_MS,
      why: "every process of the container stands still",
    },
  ];
}

/** After these steps the group's processes run again. */
export function planThaw(layout: CgroupLayout, path: string): Step[] {
  const { control, thaw, state, thawed } = freezerOf(layout, path);
  return [
    {
      op: "write-until",
      path: control,
      data: bytes.encode(thaw),
      state,
      line: thawed,
      timeoutMs: FREEZE_TIMEOUT_MS,
      why: "the container's processes go on",
    },
  ];
}

/** The kernel's state, which outlives every restart of ours. */
export function isFrozen(layout: CgroupLayout, path: string, read: ReadText): boolean {
  if (layout.v2 === undefined && hierarchyOf(layout, "freezer") === undefined) return false;
  const { state, frozen } = freezerOf(layout, path);
  return (read(state) ?? "").split("\n").includes(frozen);
}
