/** The flags of `run`: those of a container, and how the command itself behaves. */
import type { Flags } from "../command/flag.ts";
import { containerFlags } from "./container-flags.ts";
import { defaultDetachKeys } from "./detach-keys.ts";

export const runFlags = {
  detach: { type: "switch", short: "d", help: "Leave it running, and print its ID" },
  detachKeys: {
    type: "text",
    default: defaultDetachKeys,
    value: "KEYS",
    help: "Keys that leave the container running",
  },
  sigProxy: { type: "switch", default: true, help: "Pass signals on to the container" },
  ...containerFlags,
} as const satisfies Flags;
