/** The flags before the command: which engine, and where. */
import type { Flags } from "../command/flag.ts";

export const globalFlags = {
  host: { type: "text", short: "H", value: "ADDRESS", help: "Engine to talk to: unix:///PATH or tcp://HOST:PORT" },
  root: { type: "text", value: "DIR", help: "State directory of the engine that is started" },
  runDir: { type: "text", value: "DIR", help: "Run directory: sockets, and what a reboot may lose" },
  version: { type: "switch", short: "v", help: "Print the version" },
  help: { type: "switch", short: "h", help: "Show this help" },
} as const satisfies Flags;
