/** Routes of the engine itself: ping, version, info, auth. */

import { arch, release } from "node:os";
import { version } from "../base/version.ts";
import { json, type Reply } from "./reply.ts";
import { route } from "./route.ts";
import { API_MAX_MINOR, API_MIN_MINOR } from "./router.ts";
import { systemInfo } from "./system-info.ts";

const machineNames: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };
const goArch = machineNames[arch()] ?? arch();

/** Docker's headers; Builder-Version 1 means that there is no BuildKit. */
function ping(): Reply {
  return {
    kind: "text",
    status: 200,
    text: "OK",
    headers: {
      "Builder-Version": "1",
      "Docker-Experimental": "false",
      Swarm: "inactive",
      "Cache-Control": "no-cache, no-store, must-revalidate",
      Pragma: "no-cache",
    },
  };
}

function versionOf(): unknown {
  const details = { ApiVersion: `1.${API_MAX_MINOR}`, MinAPIVersion: `1.${API_MIN_MINOR}`, Os: "linux", Arch: goArch };
  return {
    Platform: { Name: "Orlop" },
    Components: [{ Name: "Engine", Version: version, Details: { ...details, KernelVersion: release() } }],
    Version: version,
    ...details,
    GitCommit: "",
    GoVersion: "",
    KernelVersion: release(),
  };
}

export const systemRoutes = [
  route({ method: "GET", path: "/_ping", operation: "SystemPing", handle: ping }),
  route({ method: "HEAD", path: "/_ping", operation: "SystemPingHead", handle: ping }),
  route({ method: "GET", path: "/version", operation: "SystemVersion", handle: () => json(versionOf()) }),
  route({
    method: "GET",
    path: "/info",
    operation: "SystemInfo",
    handle: ({ engine, apiMinor }) => json(systemInfo(engine, apiMinor)),
  }),
  route({ method: "GET", path: "/plugins", operation: "PluginList", handle: () => json([]) }),
];
