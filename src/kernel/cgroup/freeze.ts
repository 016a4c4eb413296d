/** A group that stands still: every process of it, until it is let go. v1 has a freezer hierarchy, v2 a file in each group. */

import { OrlopError } from "../../base/errors.ts";
import type { Step } from "../step.ts";
import { checkGroupPath } from "./group.ts";
import { type CgroupLayout, hierarchyOf, isUnified } from "./layout.ts";
import type { ReadText } from "./parent.ts";

const bytes = new TextEncoder();

/** A task that waits in the kernel for a disk or a network file system can be frozen only when that is over. */
const FREEZE_TIMEOUT_MS = 10_000;

interface Freezer {
  /** Where it is asked for, and the words for it. */
  readonly control: string;
  readonly freeze: string;
  readonly thaw: string;
  /** Where the kernel says how far it is, and what it says at the end. */
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

/** Afterwards nothing of the group runs. */
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

/** Afterwards the group runs again. */
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

/** What the kernel says: it knows it across every restart of ours. */
export function isFrozen(layout: CgroupLayout, path: string, read: ReadText): boolean {
  if (layout.v2 === undefined && hierarchyOf(layout, "freezer") === undefined) return false;
  const { state, frozen } = freezerOf(layout, path);
  return (read(state) ?? "").split("\n").includes(frozen);
}
