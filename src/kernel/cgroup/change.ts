/** Changes limits of a running group: writes only files whose value changes, in an order that the kernel accepts. */

import type { Step } from "../step.ts";
import { groupFilesOf, writeGroupFile } from "./group.ts";
import { type CgroupLayout, isUnified } from "./layout.ts";
import type { CgroupLimits, GroupFile } from "./limits.ts";

/** Values that remove a limit, for files that have one. */
const unlimited: Readonly<Record<string, string>> = { "pids.max": "max" };

/**
 * From one set of limits to another. A limit that is not wanted any more is removed if its file has a value for that.
 *
 * @throws {OrlopError} limit_unsupported when a limit is asked for whose controller is missing
 */
export function planLimitChange(layout: CgroupLayout, path: string, before: CgroupLimits, after: CgroupLimits): Step[] {
  const old = groupFilesOf(layout, before);
  const wanted = groupFilesOf(layout, after);
  const changed = wanted.filter(({ file, value }) => !old.some((one) => one.file === file && one.value === value));
  const gone = old.flatMap((file): GroupFile[] => {
    const value = unlimited[file.file];
    if (value === undefined || wanted.some((one) => one.file === file.file)) return [];
    return [{ ...file, value, why: "without a limit again" }];
  });
  return [...inOrder(changed, !isUnified(layout) && swapGrows(before, after)), ...gone].map((file) =>
    writeGroupFile(layout, path, file),
  );
}

/** v1 refuses a memory limit above the limit of memory and swap together, so the latter is written first when it grows. */
function inOrder(files: readonly GroupFile[], swapFirst: boolean): readonly GroupFile[] {
  if (!swapFirst) return files;
  const isSwap = ({ file }: GroupFile): boolean => file === "memory.memsw.limit_in_bytes";
  return [...files.filter(isSwap), ...files.filter((file) => !isSwap(file))];
}

function swapGrows(before: CgroupLimits, after: CgroupLimits): boolean {
  const size = ({ memory }: CgroupLimits): number =>
    memory?.swap === undefined || memory.swap < 0 ? Number.POSITIVE_INFINITY : memory.swap;
  return size(after) > size(before) || (after.memory?.swap ?? 0) < 0;
}
