/** Images: listed, looked at, pulled. Translates only; `src/engine/images` decides. */

import { OrlopError } from "../base/errors.ts";
import { isHostImage } from "../engine/host-image.ts";
import { pull, tagsOf } from "../engine/images/pull-images.ts";
import { hostPlatform, parsePlatform } from "../spec/platform.ts";
import { formatReference, parseReference } from "../spec/reference.ts";
import { parseRegistryAuth } from "../spec/registry-credentials.ts";
import { filterImages, showsHost } from "./image-filters.ts";
import { hostInspection, hostSummary, imageInspection, imageSummary } from "./image-json.ts";
import { progressReply } from "./progress-reply.ts";
import { allTagsEnd, PullMessages } from "./pull-messages.ts";
import { filters, flag, refused, text } from "./query.ts";
import { json } from "./reply.ts";
import { route } from "./route.ts";

export const imageRoutes = [
  route({
    method: "POST",
    path: "/images/create",
    operation: "ImageCreate",
    query: {
      fromImage: text,
      fromSrc: refused,
      repo: text,
      tag: text,
      message: refused,
      changes: refused,
      platform: text,
    },
    handle({ query, engine, registryAuth, signal }) {
      if (query.fromImage === undefined)
        throw OrlopError.of("bad_value", { what: "fromImage", value: "", expected: "the name of an image" });
      const platform = query.platform === undefined ? hostPlatform() : parsePlatform(query.platform);
      const credentials = parseRegistryAuth(registryAuth);
      const written = withTagOrDigest(query.fromImage, query.tag);
      const reference = parseReference(written);
      const isOne = reference.digest !== undefined || written.endsWith(`:${reference.tag}`);
      return progressReply(async (send) => {
        const references = isOne ? [reference] : await tagsOf(engine.images, reference, credentials, signal);
        let anyNew = false;
        for (const one of references) {
          const messages = new PullMessages(one, send);
          const onStep = messages.take.bind(messages);
          const request = { reference: one, platform, onStep, signal, ...(credentials && { credentials }) };
          const pulled = await pull(engine.images, request);
          anyNew ||= !pulled.isUpToDate;
          messages.end(pulled);
        }
        if (!isOne) send(allTagsEnd(reference, anyNew));
      });
    },
  }),
  route({
    method: "GET",
    path: "/images/json",
    operation: "ImageList",
    query: {
      all: flag,
      digests: flag,
      "shared-size": refused,
      manifests: refused,
      filters: filters("reference", "dangling", "label", "before", "since", "until"),
    },
    handle({ query, engine }) {
      const found = filterImages(engine.images.table, query.filters);
      const images = found.map(({ image, names }) => imageSummary({ image, names, containers: -1, sharedBytes: -1 }));
      return json(showsHost(query.filters) ? [...images, hostSummary] : images);
    },
  }),
  route({
    method: "GET",
    path: "/images/*name/json",
    operation: "ImageInspect",
    query: { manifests: refused },
    async handle({ params, engine }) {
      if (isHostImage(params.name)) return json(hostInspection);
      const { table } = engine.images;
      const image = table.get(params.name);
      return json(imageInspection(image, await engine.images.config(image), table.namesOf(image.id)));
    },
  }),
];

/** `fromImage` and `tag`, which may be a digest, as one reference. */
function withTagOrDigest(name: string, tag: string | undefined): string {
  if (tag === undefined || name.includes("@")) return name;
  const named = formatReference({ ...parseReference(name), tag: "x" }).slice(0, -":x".length);
  return tag.includes(":") ? `${named}@${tag}` : `${named}:${tag}`;
}
