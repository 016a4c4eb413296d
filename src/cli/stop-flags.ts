/** How `stop` and `restart` end a container. */
import type { Flags } from "../command/flag.ts";

export const stopFlags = {
  timeout: {
    type: "integer",
    short: "t",
    value: "SECONDS",
    min: -1,
    help: "Seconds until SIGKILL; -1: never (default: the container's, or 10)",
  },
  time: { type: "integer", value: "SECONDS", min: -1, hidden: true, help: "The same as --timeout" },
  signal: { type: "text", short: "s", value: "SIGNAL", help: "Signal to send instead of the container's own" },
} as const satisfies Flags;
