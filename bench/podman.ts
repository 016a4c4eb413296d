/** Podman with storage of its own. */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Bundle } from "./bundle.ts";
import { commandCase, type Peer, runCommand, versionOf } from "./case.ts";

/** Raising the limits that it sets by default needs CAP_SYS_RESOURCE, which not every machine has. */
const configuration = "[containers]\ndefault_ulimits = []\n";

/** undefined when it is not installed. */
export async function openPodman(bundle: Bundle, runDir: string): Promise<Peer | undefined> {
  if (Bun.which("podman") === null) return undefined;
  const directory = join(bundle.directory, "podman");
  mkdirSync(directory);
  const configurationFile = join(directory, "containers.conf");
  writeFileSync(configurationFile, configuration);
  const env = { CONTAINERS_CONF: configurationFile };
  const folders = ["--root", join(directory, "root"), "--runroot", join(runDir, "podman")];
  const podman = ["podman", ...folders, "--tmpdir", join(directory, "tmp"), "--cgroup-manager", "cgroupfs"];
  await runCommand([...podman, "import", "-q", bundle.archive, "bench"], env);
  const words = ["run", "--rm", "--network", "none", "--ulimit", "host", "bench", "true"];
  return {
    version: versionOf("podman"),
    cases: [commandCase("podman run --rm", [...podman, ...words], env)],
    [Symbol.asyncDispose]: async () => undefined, // its mounts go with our mount namespace, its files with our directory
  };
}
