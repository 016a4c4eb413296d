/** Limits of a group that runs, changed: only files whose value is another one are written, in an order that the kernel takes. */

import type { Step } from "../step.ts";
import { groupFilesOf, writeGroupFile } from "./group.ts";
import { type CgroupLayout, isUnified } from "./layout.ts";
import type { CgroupLimits, GroupFile } from "./limits.ts";

/** What a file holds when nobody has set a limit, where that can be written. */
const unlimited: Readonly<Record<string, string>> = { "pids.max": "max" };

/**
 * From one set of limits to another. A limit that is gone is taken back where the file has a word for that.
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

/** v1 refuses a memory limit above that of memory and swap: what grows first makes room. */
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
