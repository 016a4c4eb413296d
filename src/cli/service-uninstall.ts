/** `orlop service uninstall`. */
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { command } from "./context.ts";
import { needLaunch, needSystemd, unitDirectory } from "./service-system.ts";
import { serviceUnit, socketUnit } from "./service-units.ts";

export const serviceUninstall = command({
  name: "uninstall",
  summary: "Remove the systemd units; containers keep running",
  description: "The next orlop command starts a supervisor by itself, and finds every container as it is.",
  flags: {},
  examples: ["orlop service uninstall"],
  async run({ launch, print }) {
    const systemctl = await needSystemd("removing the service", needLaunch(launch).engine[0] ?? "orlop");
    const units = [serviceUnit, socketUnit];
    const known = units.filter((name) => existsSync(join(unitDirectory, name)));
    if (known.length === 0) {
      await print("not installed");
      return 0;
    }
    await systemctl("disable", "--now", ...known);
    for (const name of known) rmSync(join(unitDirectory, name));
    await systemctl("daemon-reload");
    await systemctl("reset-failed").catch(() => undefined); // what failed earlier would be listed for ever
    await print("uninstalled");
    return 0;
  },
});
