/** Docker from Debian, with a daemon of our own that touches nothing of the machine's. */

import { spawn } from "node:child_process";
import { existsSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { waitUntil } from "../test/wait-until.ts";
import type { Bundle } from "./bundle.ts";
import { commandCase, type Peer, runCommand, versionOf } from "./case.ts";

const startMs = 30_000;

/** undefined when it is not installed. The client is the one that came with the daemon. */
export async function openDocker(bundle: Bundle, runDir: string): Promise<Peer | undefined> {
  if (Bun.which("dockerd") === null) return undefined;
  const client = existsSync("/usr/bin/docker") ? "/usr/bin/docker" : "docker";
  const directory = join(bundle.directory, "docker");
  mkdirSync(directory);
  const socket = join(directory, "docker.sock");
  const folders = ["--data-root", join(directory, "data"), "--exec-root", join(runDir, "docker")];
  const network = ["--iptables=false", "--ip6tables=false", "--bridge=none"];
  const log = openSync(join(directory, "log"), "w");
  const daemon = spawn(
    "dockerd",
    [...folders, ...network, "-H", `unix://${socket}`, "--pidfile", join(directory, "pid")],
    { stdio: ["ignore", log, log] },
  );
  const exited = new Promise<void>((resolve) => daemon.once("exit", () => resolve()));
  await waitUntil(() => existsSync(socket), startMs, "dockerd listens");
  const env = { DOCKER_HOST: `unix://${socket}` };
  await runCommand([client, "import", bundle.archive, "bench"], env);
  return {
    version: versionOf("dockerd"),
    cases: [commandCase("docker run --rm", [client, "run", "--rm", "--network", "none", "bench", "true"], env)],
    [Symbol.asyncDispose]: async () => {
      daemon.kill("SIGTERM");
      await exited;
    },
  };
}
