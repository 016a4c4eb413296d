/** Routes of containers: create, list, inspect, start, stop, remove … */

import type { Engine } from "../engine/engine.ts";
import { explainSteps } from "../engine/explain.ts";
import { descendantsOf } from "../engine/images/descendants.ts";
import type { ImageRecord } from "../engine/images/image-record.ts";
import type { Digest } from "../spec/digest.ts";
import { parseContainerCreate } from "../spec/engine-api-container.ts";
import { parseContainerUpdate } from "../spec/engine-api-update.ts";
import { parsePlatform } from "../spec/platform.ts";
import { containerFilterKeys, type FilterSurroundings, filterContainers } from "./container-filters.ts";
import { inspection, summary } from "./container-json.ts";
import { createOfVersion } from "./create-version.ts";
import { detachKeys } from "./detach-keys-parameter.ts";
import { networkSettings, summaryNetworks, summaryPorts } from "./network-json.ts";
import { pruneChoiceOf, pruneFilters } from "./prune-filters.ts";
import { filters, flag, refused, text, whole } from "./query.ts";
import { json, noContent, notModified } from "./reply.ts";
import { route } from "./route.ts";
import { has } from "./versions.ts";

export const containerRoutes = [
  route({
    method: "POST",
    path: "/containers/create",
    operation: "ContainerCreate",
    query: { name: text, platform: text },
    body: true,
    async handle({ query, body, engine, apiMinor }) {
      const request = createOfVersion(parseContainerCreate(withoutQuery(body ?? {}, query)), apiMinor);
      const wanted = has(apiMinor, "createPlatform") ? query.platform : undefined;
      const platform = wanted === undefined ? undefined : parsePlatform(wanted);
      const { container, warnings } = await engine.containers.create(request.body, query.name ?? "", platform);
      return json({ Id: container.id, Warnings: [...request.warnings, ...warnings] }, 201);
    },
  }),
  route({
    method: "GET",
    path: "/containers/json",
    operation: "ContainerList",
    query: {
      all: flag,
      limit: whole,
      size: flag,
      filters: filters(...containerFilterKeys),
    },
    async handle({ query, engine, apiMinor }) {
      const newestFirst = engine.containers.all().toReversed();
      const find = (reference: string) => engine.containers.get(reference);
      const networks = query.filters["network"] === undefined ? [] : await engine.networks.all();
      const found = filterContainers(newestFirst, query, find, {
        networks,
        ports: (container) => summaryPorts(container, engine),
        families: await families(query.filters["ancestor"] ?? [], engine),
      });
      const nowMs = Date.now();
      const linkNames = engine.containers.linkNames();
      const summaries = found.map(async (container) => {
        const size = query.size ? await engine.containers.sizeOf(container) : undefined;
        const networkSettings = await summaryNetworks(container, engine);
        return summary(container, nowMs, {
          networkSettings,
          ports: summaryPorts(container, engine),
          size,
          apiMinor,
          linkNames: linkNames.get(container.id) ?? [],
        });
      });
      return json(await Promise.all(summaries));
    },
  }),
  route({
    method: "GET",
    path: "/containers/:id/json",
    operation: "ContainerInspect",
    query: { size: flag },
    async handle({ params, query, engine, apiMinor }) {
      const container = engine.containers.get(params.id);
      const size = query.size ? await engine.containers.sizeOf(container) : undefined;
      const shown = await networkSettings(container, engine, apiMinor);
      return json(inspection(container, engine.machine, { networkSettings: shown, size }));
    },
  }),
  route({
    method: "POST",
    path: "/containers/:id/start",
    operation: "ContainerStart",
    query: { detachKeys, checkpoint: refused, "checkpoint-dir": refused },
    handle: async ({ params, engine }) =>
      (await engine.containers.get(params.id).start()) ? noContent() : notModified(),
  }),
  route({
    method: "POST",
    path: "/containers/:id/stop",
    operation: "ContainerStop",
    query: { t: whole, signal: text },
    async handle({ params, query, engine, apiMinor }) {
      const signal = has(apiMinor, "stopSignal") ? query.signal : undefined;
      return (await engine.containers.get(params.id).stop(query.t, signal)) ? noContent() : notModified();
    },
    async explain({ params, query, engine }) {
      const { pid, signal, seconds, steps } = engine.containers.get(params.id).foreseeStop(query.t, query.signal);
      const last = seconds < 0 ? "" : `, and SIGKILL (9) ${seconds} s later if it is still there`;
      const sent = `Its monitor sends signal ${signal} to its first process, ${pid}${last}. What follows is done once it has ended.`;
      return explainSteps(steps, [sent, "Its networks are given back beside that, by plans that are made then."]);
    },
  }),
  route({
    method: "POST",
    path: "/containers/:id/restart",
    operation: "ContainerRestart",
    query: { t: whole, signal: text },
    async handle({ params, query, engine, apiMinor }) {
      const signal = has(apiMinor, "stopSignal") ? query.signal : undefined;
      await engine.containers.get(params.id).restart(query.t, signal);
      return noContent();
    },
  }),
  route({
    method: "POST",
    path: "/containers/:id/kill",
    operation: "ContainerKill",
    query: { signal: text },
    async handle({ params, query, engine }) {
      await engine.containers.get(params.id).kill(query.signal ?? "SIGKILL");
      return noContent();
    },
  }),
  route({
    method: "POST",
    path: "/containers/:id/pause",
    operation: "ContainerPause",
    async handle({ params, engine }) {
      await engine.containers.get(params.id).pause();
      return noContent();
    },
  }),
  route({
    method: "POST",
    path: "/containers/:id/unpause",
    operation: "ContainerUnpause",
    async handle({ params, engine }) {
      await engine.containers.get(params.id).unpause();
      return noContent();
    },
  }),
  route({
    method: "POST",
    path: "/containers/:id/rename",
    operation: "ContainerRename",
    query: { name: text },
    async handle({ params, query, engine }) {
      await engine.containers.rename(params.id, query.name ?? "");
      return noContent();
    },
  }),
  route({
    method: "POST",
    path: "/containers/:id/update",
    operation: "ContainerUpdate",
    body: true,
    async handle({ params, body, engine, apiMinor }) {
      const update = parseContainerUpdate(body ?? {});
      const known = has(apiMinor, "updatePids") ? update : { ...update, PidsLimit: undefined };
      await engine.containers.get(params.id).changes.update(known);
      return json({ Warnings: [] });
    },
  }),
  route({
    method: "POST",
    path: "/containers/:id/resize",
    operation: "ContainerResize",
    query: { h: whole, w: whole },
    handle({ params, query, engine }) {
      engine.containers.get(params.id).resize(query.h ?? 0, query.w ?? 0);
      return { kind: "text", status: 200, text: "" };
    },
  }),
  route({
    method: "POST",
    path: "/containers/prune",
    operation: "ContainerPrune",
    query: { filters: pruneFilters },
    async handle({ query, engine }) {
      const { untilMs, hasLabels } = pruneChoiceOf(query.filters);
      const { ids, reclaimedBytes } = await engine.containers.prune(
        ({ record, body }) =>
          hasLabels(body.Labels) && (untilMs === undefined || Number(record.createdNs) / 1e6 <= untilMs),
      );
      return json({ ContainersDeleted: ids, SpaceReclaimed: reclaimedBytes });
    },
  }),
  route({
    method: "DELETE",
    path: "/containers/*id",
    operation: "ContainerDelete",
    query: { v: flag, force: flag, link: flag },
    async handle({ params, query, engine }) {
      if (query.link) await engine.containers.unlink(params.id);
      else await engine.containers.get(params.id).remove(query.force, query.v);
      return noContent();
    },
  }),
];

async function families(names: readonly string[], { images }: Engine): Promise<FilterSurroundings["families"]> {
  const found = new Map<string, ReadonlySet<Digest>>();
  const history = async (image: ImageRecord) => (await images.config(image)).history;
  for (const name of names) {
    const family = new Set<Digest>();
    for (const ancestor of images.table.allOf(name))
      for (const one of await descendantsOf(ancestor, { images: images.table.all(), history })) family.add(one);
    if (family.size > 0) found.set(name, family);
  }
  return found;
}

/** dockerode sends some query parameters in the body too: a field that repeats the query is ignored. */
function withoutQuery(
  body: unknown,
  query: { readonly name: string | undefined; readonly platform: string | undefined },
) {
  if (typeof body !== "object" || body === null || Array.isArray(body)) return body;
  const said = (key: string, value: unknown): boolean =>
    (key === "name" || key === "platform") && value === (query[key] ?? "");
  return Object.fromEntries(Object.entries(body).filter(([key, value]) => !said(key, value)));
}
