/** `orlop service status`. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { command } from "./context.ts";
import { formatTable } from "./format-table.ts";
import { unitDirectory } from "./service-system.ts";
import { serviceUnit, socketUnit } from "./service-units.ts";

/** As `systemctl status` has it for a unit that does not run. */
const notActive = 3;

export const serviceStatus = command({
  name: "status",
  summary: "Show whether systemd starts Orlop, and what is running",
  description: `Exit code 0: the service runs; ${notActive}: it does not. A service that does not run while its socket listens is started by
the next client.`,
  flags: {},
  examples: ["orlop service status"],
  async run({ places, print, stdout }) {
    const { isSystemd, unitProperties } = await import("../client/systemctl.ts");
    if (!isSystemd() || !existsSync(join(unitDirectory, serviceUnit))) {
      await print(
        "not installed: after a boot, containers with a restart policy come back with the first orlop command",
      );
      return notActive;
    }
    const service = await unitProperties(serviceUnit, [
      "ActiveState",
      "SubState",
      "UnitFileState",
      "MainPID",
      "Result",
    ]);
    const socket = await unitProperties(socketUnit, ["ActiveState", "SubState", "UnitFileState", "SocketGroup"]);
    const pid = service["MainPID"] === "0" ? "" : `, pid ${service["MainPID"]}`;
    const failed = service["Result"] === "success" ? "" : `, ${service["Result"]}: journalctl -u orlop says why`;
    await stdout.write(
      formatTable(
        ["UNIT", "AT BOOT", "NOW"],
        [
          [
            serviceUnit,
            service["UnitFileState"] ?? "",
            `${service["ActiveState"]} (${service["SubState"]})${pid}${failed}`,
          ],
          [
            socketUnit,
            socket["UnitFileState"] ?? "",
            `${socket["ActiveState"]} (${socket["SubState"]}), ${places.runDir}/orlop.sock, group ${socket["SocketGroup"]}`,
          ],
        ],
      ),
    );
    return service["ActiveState"] === "active" ? 0 : notActive;
  },
});
