/** The engine's log: one line per event on standard error, which the supervisor directs to engine.log or to the service's journal. */

type Level = "info" | "warn" | "error";

/** syslog(3) levels as systemd reads them at the beginning of a line (sd-daemon(3)). */
const prefixOf = { info: "<6>", warn: "<4>", error: "<3>" } as const satisfies Record<Level, string>;

export function log(level: Level, what: string, error?: unknown): void {
  const reason =
    error === undefined ? "" : `: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
  process.stderr.write(`${prefixOf[level]}${`${what}${reason}`.replaceAll("\n", " | ")}\n`);
}
