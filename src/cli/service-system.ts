/** What the commands of `orlop service` have in common: where units lie, and what they need. */
import { OrlopError } from "../base/errors.ts";
import type { Launch } from "../client/launch.ts";

/** The administrator's own units. */
export const unitDirectory = "/etc/systemd/system";
/** Where programs look for Docker. /var/run is a link to /run. */
export const dockerSocket = "/run/docker.sock";

/** @param doing for the message. @throws {OrlopError} not_root, service_needs_systemd */
export async function needSystemd(doing: string, program: string): Promise<(...words: string[]) => Promise<string>> {
  const { isSystemd, systemctl } = await import("../client/systemctl.ts");
  if (!isSystemd()) throw OrlopError.of("service_needs_systemd", { program: program.replace(/-program$/, "") });
  if (process.getuid?.() !== 0) throw OrlopError.of("not_root", { doing });
  return systemctl;
}

/** These commands run in a process of their own, which knows how a supervisor is started. */
export function needLaunch(launch: Launch | undefined): Launch {
  if (launch === undefined) throw new Error("a service is not the engine's business");
  return launch;
}
