/** The content type of attached streams. */

import { has } from "./versions.ts";

/** Since API 1.42 it tells framed from raw streams; before, both had the raw type. */
export function streamType(tty: boolean, apiMinor: number): string {
  return has(apiMinor, "streamType") && !tty
    ? "application/vnd.docker.multiplexed-stream"
    : "application/vnd.docker.raw-stream";
}
