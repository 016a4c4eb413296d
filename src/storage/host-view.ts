/** Looks at the machine for the image `host`: its mounts, and which of a few paths are directories. */

import { readFileSync, realpathSync, statSync } from "node:fs";
import { parseMountInfo } from "../kernel/mountinfo.ts";
import type { HostView } from "./host.ts";

export function readHostView(): HostView {
  return {
    mounts: parseMountInfo(readFileSync("/proc/self/mountinfo", "utf8")),
    directoryAt(path) {
      try {
        const real = realpathSync(path);
        return statSync(real).isDirectory() ? real : undefined;
      } catch {
        return undefined; // not there, or not to be reached: then there is nothing to show or hide
      }
    },
  };
}
