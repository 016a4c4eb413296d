/** The content type of attached streams. */

import { has } from "./versions.ts";

/** Since 1.42 it says whether they are framed; before, both kinds were called raw. */
export function streamType(tty: boolean, apiMinor: number): string {
  return has(apiMinor, "streamType") && !tty
    ? "application/vnd.docker.multiplexed-stream"
    : "application/vnd.docker.raw-stream";
}
