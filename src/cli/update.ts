/** `orlop update`. */
import { OrlopError } from "../base/errors.ts";
import type { ContainerChange } from "../client/container-types.ts";
import { command } from "./context.ts";
import { forEachContainer } from "./each.ts";
import { withFlagName } from "./flag-of-field.ts";
import { changeableLimitFlags, changeableLimits } from "./limit-flags.ts";
import { parseRestartPolicy } from "./restart-flag.ts";

export const update = command({
  name: "update",
  summary: "Change the limits of containers, running ones too",
  args: "CONTAINER...",
  flags: {
    restart: {
      type: "text",
      value: "POLICY",
      help: "Start it again when it has ended: no, on-failure[:RETRIES], always or unless-stopped",
    },
    ...changeableLimitFlags,
    cpuRtPeriod: { type: "later", takesValue: true, help: "" },
    cpuRtRuntime: { type: "later", takesValue: true, help: "" },
    kernelMemory: { type: "later", takesValue: true, help: "" },
  },
  inEngine: true,
  examples: ["orlop update -m 512m --memory-swap 1g web", "orlop update --cpus 0.5 web db"],
  async run({ args, flags, ...context }) {
    const fields = {
      ...changeableLimits(flags),
      RestartPolicy: flags.restart === undefined ? undefined : parseRestartPolicy(flags.restart),
    };
    const change: ContainerChange = Object.fromEntries(
      Object.entries(fields).filter(([, value]) => value !== undefined),
    );
    if (Object.keys(change).length === 0) throw OrlopError.of("nothing_to_change", {});
    return forEachContainer(args, context, async (name) => {
      const { Warnings } = await context.engine.containers.update(name, change).catch((error: unknown) => {
        throw withFlagName(error);
      });
      for (const warning of Warnings ?? []) await context.warn(`orlop: warning: ${warning}`);
    });
  },
});
