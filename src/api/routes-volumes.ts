/** Routes of volumes: create, list, inspect, remove … */

import { OrlopError } from "../base/errors.ts";
import { parseVolumeCreate } from "../spec/engine-api-volume.ts";
import { filters, flag } from "./query.ts";
import { json, noContent } from "./reply.ts";
import { route } from "./route.ts";
import { pruneFilter, volumeFilter } from "./volume-filters.ts";
import { volumeJson } from "./volume-json.ts";

export const volumeRoutes = [
  route({
    method: "POST",
    path: "/volumes/create",
    operation: "VolumeCreate",
    body: true,
    async handle({ body, engine }) {
      const { Name, Driver, DriverOpts, Labels } = parseVolumeCreate(body ?? {});
      const request = { name: Name, driver: Driver, options: DriverOpts, labels: Labels };
      return json(volumeJson(await engine.volumes.create(request)), 201);
    },
  }),
  route({
    method: "GET",
    path: "/volumes",
    operation: "VolumeList",
    query: { filters: filters("dangling", "driver", "label", "name") },
    handle: ({ query, engine }) =>
      json({ Volumes: engine.volumes.all().filter(volumeFilter(query.filters)).map(volumeJson), Warnings: null }),
  }),
  route({
    method: "POST",
    path: "/volumes/prune",
    operation: "VolumePrune",
    query: { filters: filters("all", "label", "label!") },
    async handle({ query, engine, apiMinor }) {
      const { names, bytes } = await engine.volumes.prune(pruneFilter(query.filters, apiMinor));
      return json({ VolumesDeleted: names, SpaceReclaimed: bytes });
    },
  }),
  route({
    method: "GET",
    path: "/volumes/:name",
    operation: "VolumeInspect",
    handle: ({ params, engine }) => json(volumeJson(engine.volumes.get(params.name))),
  }),
  route({
    method: "PUT",
    path: "/volumes/:name",
    operation: "VolumeUpdate",
    handle() {
      throw OrlopError.of("unknown_field", { field: "updating a volume (only cluster volumes can be)" });
    },
  }),
  route({
    method: "DELETE",
    path: "/volumes/:name",
    operation: "VolumeDelete",
    query: { force: flag },
    async handle({ params, query, engine }) {
      await engine.volumes.remove(params.name, query.force);
      return noContent();
    },
  }),
];
