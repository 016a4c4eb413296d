/** `orlop rmi`. */
import { EngineError } from "../client/engine-error.ts";
import { command } from "./context.ts";

export const rmi = command({
  name: "rmi",
  summary: "Remove names of images; an image goes with its last name",
  args: "IMAGE...",
  flags: {
    force: {
      type: "switch",
      short: "f",
      help: "Even if a stopped container uses it, or it has names in several repositories",
    },
    noPrune: { type: "switch", help: "Does nothing: there are no intermediate images" },
    platform: {
      type: "list",
      value: "OS/ARCHITECTURE",
      help: "Only what is here for this platform; the names stay while another one is here",
    },
  },
  inEngine: true,
  examples: ["orlop rmi debian:12", "orlop rmi -f $(orlop images -q --filter dangling=true)"],
  async run({ args, flags, engine, print, warn }) {
    let exitCode = 0;
    for (const name of args)
      try {
        for (const { Untagged, Deleted } of await engine.images.remove(name, flags.force, flags.platform))
          await print(Untagged === undefined ? `Deleted: ${Deleted}` : `Untagged: ${Untagged}`);
      } catch (error) {
        if (!(error instanceof EngineError)) throw error;
        const isMissing = error.status === 404 && flags.force;
        await warn(`orlop: ${error.message}`);
        if (!isMissing) exitCode = 1;
      }
    return exitCode;
  },
});
