/** The table of routes. */

import type { Route } from "./route.ts";
import { archiveRoutes } from "./routes-archive.ts";
import { commandRoutes } from "./routes-command.ts";
import { containerRoutes } from "./routes-containers.ts";
import { diskRoutes } from "./routes-disk.ts";
import { eventRoutes } from "./routes-events.ts";
import { execRoutes } from "./routes-exec.ts";
import { imageArchiveRoutes } from "./routes-image-archives.ts";
import { imageRoutes } from "./routes-images.ts";
import { networkRoutes } from "./routes-networks.ts";
import { orlopRoutes } from "./routes-orlop.ts";
import { registryRoutes } from "./routes-registries.ts";
import { statsRoutes } from "./routes-stats.ts";
import { streamRoutes } from "./routes-streams.ts";
import { systemRoutes } from "./routes-system.ts";
import { topRoutes } from "./routes-top.ts";
import { volumeRoutes } from "./routes-volumes.ts";

export const routes: readonly Route[] = [
  ...systemRoutes,
  ...eventRoutes,
  ...containerRoutes,
  ...streamRoutes,
  ...archiveRoutes,
  ...statsRoutes,
  ...execRoutes,
  ...topRoutes,
  ...imageRoutes,
  ...imageArchiveRoutes,
  ...volumeRoutes,
  ...networkRoutes,
  ...registryRoutes,
  ...diskRoutes,
  ...orlopRoutes,
  ...commandRoutes,
];
