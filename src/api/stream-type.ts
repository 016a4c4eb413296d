/** The content type of attached streams. */

/** Since 1.42 it says whether they are framed; before, both kinds were called raw. */
export function streamType(tty: boolean, apiMinor: number): string {
  return apiMinor >= 42 && !tty ? "application/vnd.docker.multiplexed-stream" : "application/vnd.docker.raw-stream";
}
