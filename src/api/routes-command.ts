/** `orlop`'s own commands, run here for the launcher that people call (native/launcher/). */

import { OrlopError } from "../base/errors.ts";
import { route } from "./route.ts";

/** What the launcher asks the connection to become. */
const commandProtocol = "orlop-command";

export const commandRoutes = [
  route({
    method: "POST",
    path: "/orlop/command",
    operation: "OrlopCommand",
    handle({ runCommand, protocol }) {
      if (runCommand === undefined || protocol !== commandProtocol)
        throw OrlopError.of("page_not_found", { path: "/orlop/command" });
      return { kind: "hijack", contentType: "application/octet-stream", protocol, take: runCommand };
    },
  }),
];
