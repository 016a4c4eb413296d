/** `orlop system check`. */
import { command } from "./context.ts";

export const systemCheck = command({
  name: "check",
  summary: "Read all image data on the disk again, and compare it with its digests",
  description: `With --repair, what is damaged is fetched again from the registries of the image's names, without credentials.
The exit code is 1 when something is damaged and could not be repaired.`,
  flags: {
    repair: { type: "switch", help: "Fetch what is damaged again" },
  },
  examples: ["orlop system check", "orlop system check --repair"],
  async run({ flags, engine, print }) {
    let bad = 0;
    for await (const { status = "", aux } of engine.system.check(flags.repair)) {
      await print(status);
      if (aux?.["Mended"] === false) bad++;
    }
    return bad === 0 ? 0 : 1;
  },
});
