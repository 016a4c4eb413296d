/** The route of container statistics. */

import { watchStats } from "../engine/containers/container-stats.ts";
import { flag, type ParseParameter } from "./query.ts";
import { route } from "./route.ts";
import { statsJson } from "./stats-json.ts";
import { has } from "./versions.ts";

/** Default: true. */
const streamFlag: ParseParameter<boolean> = (text, name) => text === undefined || text === "" || flag(text, name);

const encoder = new TextEncoder();

export const statsRoutes = [
  route({
    method: "GET",
    path: "/containers/:id/stats",
    operation: "ContainerStats",
    query: { stream: streamFlag, "one-shot": flag },
    handle({ params, query, engine, signal, apiMinor }) {
      const container = engine.containers.get(params.id);
      const frames = watchStats(
        container,
        engine.machine,
        { stream: query.stream, oneShot: query["one-shot"] && has(apiMinor, "oneShot") },
        signal,
      );
      const chunks = (async function* () {
        for await (const frame of frames)
          yield encoder.encode(`${JSON.stringify(statsJson(container, frame, engine.machine))}\n`);
      })();
      return { kind: "stream", contentType: "application/json", chunks };
    },
  }),
];
