/** Runs `orlop` commands in the engine, for the launcher (native/launcher/). */

import { OrlopError } from "../base/errors.ts";
import { route } from "./route.ts";

/** The launcher's Upgrade header. */
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
