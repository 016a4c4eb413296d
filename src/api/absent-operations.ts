/** Operations of Docker's API that Orlop does not have. They are refused by name, while an unknown path is "page not found". */

import { OrlopError } from "../base/errors.ts";

const swarmPaths = /^\/(swarm|nodes|services|tasks|secrets|configs)(\/|$)/;

/** The error for an operation that Orlop lacks; undefined: Docker has no such operation either. */
export function absence(method: string, path: string): OrlopError | undefined {
  if (method === "POST" && (path === "/swarm/init" || path === "/swarm/join"))
    return missing("swarm mode", "containers run on this machine alone");
  if (swarmPaths.test(path)) return OrlopError.of("no_swarm", {});
  if (path === "/build" || path === "/session" || path === "/grpc")
    return missing("building images", "build elsewhere and pull or load the image, or commit a container");
  if (path.startsWith("/plugins/")) return missing("a plugin", "use what is built in: orlop info");
  if (/^\/containers\/[^/]+\/checkpoints(\/|$)/.test(path))
    return missing("a checkpoint", "stop or pause the container");
  return undefined;
}

function missing(feature: string, instead: string): OrlopError {
  return OrlopError.of("feature_missing", { feature, instead });
}
