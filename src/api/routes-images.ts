/** Routes of images: list, inspect, pull, push, tag, remove … */

import { OrlopError } from "../base/errors.ts";
import { usageOfImages } from "../engine/disk-usage.ts";
import { isHostImage } from "../engine/images/host-image.ts";
import { targetDescriptor } from "../engine/images/image-manifests.ts";
import { checkPlatform, imageFor } from "../engine/images/image-platform.ts";
import type { ImageRecord } from "../engine/images/image-record.ts";
import { targetOf } from "../engine/images/image-table.ts";
import type { Images } from "../engine/images/images.ts";
import { pruneImages } from "../engine/images/prune-images.ts";
import { pull, tagsOf } from "../engine/images/pull-images.ts";
import { push, tagsHere } from "../engine/images/push-images.ts";
import { search } from "../engine/images/registry-questions.ts";
import { removeImage } from "../engine/images/remove-image.ts";
import { tagImage } from "../engine/images/tag-image.ts";
import { hostPlatform, type Platform, parsePlatform } from "../spec/platform.ts";
import { formatReference, parseReference } from "../spec/reference.ts";
import { parseRegistryAuth } from "../spec/registry-credentials.ts";
import { createdMsOf, danglingOf, filterImages, showsHost } from "./image-filters.ts";
import { historyOf, hostInspection, hostSummary, imageInspection, imageSummary, removalJson } from "./image-json.ts";
import { rowsByTarget, withManifests } from "./image-manifests-json.ts";
import { platformOf, platformSince } from "./platform-parameter.ts";
import { progressReply } from "./progress-reply.ts";
import { pruneChoiceOf, pruneFilterKeys } from "./prune-filters.ts";
import { allTagsEnd, PullMessages } from "./pull-messages.ts";
import { PushMessages } from "./push-messages.ts";
import { filters, flag, text, textList, whole } from "./query.ts";
import { json } from "./reply.ts";
import { route } from "./route.ts";
import { importReply } from "./routes-image-archives.ts";
import { foundJson, searchFilter } from "./search-json.ts";
import { has } from "./versions.ts";

export const imageRoutes = [
  route({
    method: "POST",
    path: "/images/create",
    operation: "ImageCreate",
    query: {
      fromImage: text,
      fromSrc: text,
      repo: text,
      tag: text,
      message: text,
      changes: textList,
      platform: text,
    },
    body: "stream",
    handle({ query, engine, registryAuth, signal, upload, apiMinor }) {
      if (query.fromSrc !== undefined) return importReply(engine, query.fromSrc, query, { upload, signal });
      if (query.fromImage === undefined)
        throw OrlopError.of("bad_value", { what: "fromImage", value: "", expected: "the name of an image" });
      const wanted = has(apiMinor, "pullPlatform") ? query.platform : undefined;
      const platform = wanted === undefined ? hostPlatform() : parsePlatform(wanted);
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
      "shared-size": flag,
      filter: text,
      manifests: flag,
      filters: filters("reference", "dangling", "label", "before", "since", "until"),
    },
    async handle({ query, engine, apiMinor }) {
      const { filter } = query;
      const old = has(apiMinor, "imageFilter") || filter === undefined ? {} : { reference: [filter] };
      const filters = { ...query.filters, ...old };
      const found = filterImages(engine.images.table, filters);
      const isShared = query["shared-size"] && has(apiMinor, "sharedSize");
      const usage = isShared ? (await usageOfImages(engine.images)).images : [];
      const showsManifests = query.manifests && has(apiMinor, "listedManifests");
      const images = [];
      for (const row of showsManifests ? found.flatMap(rowsByTarget) : found) {
        const { image, names, platforms } = row;
        const users = platforms.flatMap(({ id }) => engine.images.users.usersOf(id));
        images.push(
          imageSummary({
            image,
            names,
            platforms,
            containers: has(apiMinor, "countedContainers") ? users.length : -1,
            sharedBytes: usage.find((one) => one.image.id === image.id)?.sharedBytes ?? -1,
            apiMinor,
            ...(showsManifests && { more: await withManifests(engine.images, image, names[0]?.target) }),
          }),
        );
      }
      return json(showsHost(filters) ? [...images, hostSummary] : images);
    },
  }),
  route({
    method: "GET",
    path: "/images/*name/json",
    operation: "ImageInspect",
    query: { manifests: flag, platform: text },
    async handle({ params, query, engine, apiMinor }) {
      const wanted = platformSince("inspectPlatform", apiMinor, query.platform);
      const showsManifests = query.manifests && has(apiMinor, "imageManifests");
      if (showsManifests && wanted !== undefined)
        throw OrlopError.of("bad_value", {
          what: "parameter platform",
          value: query.platform ?? "",
          expected: "none where manifests are asked for",
        });
      const image = chosenImage(engine.images, params.name, wanted);
      if (image === undefined) return json(hostInspection);
      const { table } = engine.images;
      const config = await engine.images.config(image);
      const target = table.find(params.name)?.name?.target ?? targetOf(table, image);
      const more = showsManifests
        ? await withManifests(engine.images, image, target)
        : { Descriptor: await targetDescriptor(engine.images, image, target) };
      const shown = has(apiMinor, "imageDescriptor") ? { more } : {};
      return json(imageInspection({ image, config, names: table.namesOf(image.id), apiMinor, ...shown }));
    },
  }),
  route({
    method: "GET",
    path: "/images/*name/history",
    operation: "ImageHistory",
    query: { platform: text },
    async handle({ params, query, engine, apiMinor }) {
      const wanted = platformSince("historyPlatform", apiMinor, query.platform);
      const image = chosenImage(engine.images, params.name, wanted);
      if (image === undefined) return json([]);
      const { table } = engine.images;
      return json(historyOf(image, await engine.images.config(image), table.namesOf(image.id)));
    },
  }),
  route({
    method: "POST",
    path: "/images/*name/tag",
    operation: "ImageTag",
    query: { repo: text, tag: text },
    async handle({ params, query, engine }) {
      await tagImage(engine.images, params.name, parseReference(withTagOrDigest(query.repo ?? "", query.tag)));
      return { kind: "text", status: 201, text: "" };
    },
  }),
  route({
    method: "POST",
    path: "/images/*name/push",
    operation: "ImagePush",
    query: { tag: text, platform: text },
    handle({ params, query, engine, apiMinor, registryAuth, signal }) {
      const wanted = platformSince("pushPlatform", apiMinor, query.platform);
      const named = parseReference(withTagOrDigest(params.name, query.tag));
      const credentials = parseRegistryAuth(registryAuth);
      const { host, repository, tag } = named;
      const isOne = query.tag !== undefined && tag !== undefined;
      const references = isOne ? [{ host, repository, tag }] : tagsHere(engine.images, named);
      if (wanted !== undefined)
        for (const reference of references) chosenImage(engine.images, formatReference(reference), wanted);
      const given = { ...(wanted && { platform: wanted }), ...(credentials && { credentials }) };
      return progressReply(async (send) => {
        send({ status: `The push refers to repository [${host}/${repository}]` });
        for (const reference of references) {
          const messages = new PushMessages(send);
          const onStep = messages.take.bind(messages);
          await push(engine.images, { reference, onStep, signal, ...given });
        }
      });
    },
  }),
  route({
    method: "POST",
    path: "/images/prune",
    operation: "ImagePrune",
    query: { filters: filters("dangling", ...pruneFilterKeys) },
    async handle({ query, engine }) {
      const { untilMs, hasLabels } = pruneChoiceOf(query.filters);
      const onlyDangling = danglingOf(query.filters["dangling"]) ?? true;
      const { table } = engine.images;
      const removal = await pruneImages(
        engine.images,
        (image) =>
          (!onlyDangling || table.namesOf(image.id).length === 0) &&
          hasLabels(image.labels) &&
          (untilMs === undefined || createdMsOf(image) <= untilMs),
      );
      return json({ ImagesDeleted: removalJson(removal), SpaceReclaimed: removal.bytes });
    },
  }),
  route({
    method: "GET",
    path: "/images/search",
    operation: "ImageSearch",
    query: { term: text, limit: whole, filters: filters("is-automated", "is-official", "stars") },
    async handle({ query, engine, registryAuth, signal }) {
      const limit = query.limit ?? 25;
      if (query.term === undefined || limit < 1 || limit > 100)
        throw OrlopError.of("bad_value", {
          what: query.term === undefined ? "term" : "limit",
          value: query.term === undefined ? "" : String(limit),
          expected: query.term === undefined ? "words to search for" : "1 to 100",
        });
      const credentials = parseRegistryAuth(registryAuth);
      const found = await search(engine.images, query.term, limit, { signal, ...(credentials && { credentials }) });
      return json(found.filter(searchFilter(query.filters)).map(foundJson));
    },
  }),
  route({
    method: "DELETE",
    path: "/images/*name",
    operation: "ImageDelete",
    query: { force: flag, noprune: flag, platforms: textList },
    async handle({ params, query, engine, apiMinor }) {
      const platforms = has(apiMinor, "removedPlatforms") ? query.platforms.map(platformOf) : [];
      const request = { written: params.name, force: query.force, platforms };
      return json(removalJson(await removeImage(engine.images, request)));
    },
  }),
];

/** undefined for the built-in image `host`. @throws {OrlopError} no_such_image, platform_mismatch */
function chosenImage({ table }: Images, written: string, wanted: Platform | undefined): ImageRecord | undefined {
  if (!isHostImage(written)) return imageFor(table, written, wanted);
  checkPlatform(written, hostPlatform(), wanted);
  return undefined;
}

/** `fromImage` and `tag`, which may be a digest, as one reference. */
function withTagOrDigest(name: string, tag: string | undefined): string {
  if (tag === undefined || name.includes("@")) return name;
  const named = formatReference({ ...parseReference(name), tag: "x" }).slice(0, -":x".length);
  return tag.includes(":") ? `${named}@${tag}` : `${named}:${tag}`;
}
