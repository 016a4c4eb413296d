/** Looks at the machine for the image `host`: its mounts, and which of a few paths are directories. */

import { readFileSync, realpathSync, statSync } from "node:fs";
import { parseMountInfo } from "../kernel/mountinfo.ts";
import type { HostView } from "./host.ts";

export function readHostView(): HostView {
  return { mounts: parseMountInfo(readFileSync("/proc/self/mountinfo", "utf8")), directoryAt };
}

/** Most of the paths that are asked for are not there: no exception for those, which costs more than the look itself. */
function directoryAt(path: string): string | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true ? realpathSync(path) : undefined;
  } catch {
    return undefined; // not to be reached: then there is nothing to show or hide
  }
}
