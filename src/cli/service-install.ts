/** `orlop service install`. */
import { lstatSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { OrlopError } from "../base/errors.ts";
import { groupId, supervisorCommand } from "../client/launch.ts";
import { command } from "./context.ts";
import { safeProgram } from "./service-program.ts";
import { dockerSocket, needLaunch, needSystemd, unitDirectory } from "./service-system.ts";
import { serviceUnit, socketUnit, unitTexts } from "./service-units.ts";

export const serviceInstall = command({
  name: "install",
  summary: "Have systemd start Orlop: by its socket, and at boot for containers with a restart policy",
  description: `Writes ${serviceUnit} and ${socketUnit}, enables and starts them. Containers that run are left as they are, now and whenever
the service is stopped or started again (an upgrade: replace the programs, then "systemctl restart orlop"). When the machine
is shut down they are stopped, as "orlop stop" does it, and those with a restart policy come back with the next boot.

Who is in the socket's group is root on this machine. Variables for the engine (HTTPS_PROXY …) belong in /etc/default/orlop.`,
  flags: {
    group: {
      type: "text",
      value: "GROUP",
      help: 'Group that may use the API besides root (default: "orlop" where it exists)',
    },
    dockerSocket: { type: "switch", help: `Make ${dockerSocket} lead to Orlop, for programs that look for Docker` },
  },
  examples: ["orlop service install", "orlop service install --group docker --docker-socket"],
  async run({ flags, places, print, ...context }) {
    const launch = needLaunch(context.launch);
    const [program = "", ...words] = launch.engine.slice(0, launch.engine.indexOf("engine"));
    const systemctl = await needSystemd("installing the service", program);
    const [orlop, executor] = [safeProgram(program), safeProgram(launch.executor)];
    const link = flags.dockerSocket ? freeLink(`${places.runDir}/orlop.sock`) : undefined;
    const texts = unitTexts({
      ...places,
      program: [orlop, ...words],
      supervisor: supervisorCommand({ ...launch, executor, engine: [orlop, ...launch.engine.slice(1)] }),
      group: groupOf(flags.group),
      link,
    });
    for (const [name, text] of Object.entries(texts)) writeFileSync(join(unitDirectory, name), text, { mode: 0o644 });
    await systemctl("daemon-reload");
    await systemctl("enable", socketUnit, serviceUnit);
    await systemctl("stop", serviceUnit);
    await systemctl("restart", socketUnit);
    await systemctl("start", serviceUnit);
    await print(`installed: systemd starts Orlop, and listens on ${places.runDir}/orlop.sock`);
    return 0;
  },
});

/** @throws {OrlopError} bad_value */
function groupOf(asked: string | undefined): string {
  const name = asked ?? "orlop";
  if (/^[A-Za-z_][A-Za-z0-9_.-]*$/.test(name) && groupId(name, "/etc/group") !== undefined) return name;
  if (asked === undefined) return "root";
  throw OrlopError.of("bad_value", {
    what: "--group",
    value: asked,
    expected: "a group of /etc/group (groupadd makes one)",
  });
}

/** @throws {OrlopError} service_socket_taken */
function freeLink(target: string): string {
  const found = lstatSync(dockerSocket, { throwIfNoEntry: false });
  const isOurs = found?.isSymbolicLink() === true && readlinkSync(dockerSocket) === target;
  if (found === undefined || isOurs) return dockerSocket;
  throw OrlopError.of("service_socket_taken", { path: dockerSocket });
}
