/** Routes of commit, import, save and load. */

import { OrlopError } from "../base/errors.ts";
import type { Engine } from "../engine/engine.ts";
import { explainSteps } from "../engine/explain.ts";
import { commit, foreseeCommit } from "../engine/images/commit.ts";
import { importImage } from "../engine/images/import-image.ts";
import { loadImages } from "../engine/images/load.ts";
import { chooseImages, saveImages } from "../engine/images/save.ts";
import { parseCommitConfig } from "../spec/commit-config.ts";
import { hostPlatform, type Platform } from "../spec/platform.ts";
import { familiarReference, parseReference, type Reference } from "../spec/reference.ts";
import { platformOf, platformSince } from "./platform-parameter.ts";
import { progressReply } from "./progress-reply.ts";
import { flag, type ParseParameter, text, textList } from "./query.ts";
import { json, type Reply } from "./reply.ts";
import { route } from "./route.ts";

/** Default: true. */
const flagOrTrue: ParseParameter<boolean> = (given, name, all) =>
  given === undefined || given === "" || flag(given, name, all);

/** The name that `repo` and `tag` give; undefined without one. */
function nameOf(repo: string | undefined, tag: string | undefined): Reference | undefined {
  if (repo === undefined) return undefined;
  const reference = parseReference(tag === undefined ? repo : `${repo}:${tag}`);
  if (reference.digest !== undefined)
    throw OrlopError.of("bad_value", { what: "repo", value: repo, expected: "a name without a digest" });
  return reference;
}

export const imageArchiveRoutes = [
  route({
    method: "POST",
    path: "/commit",
    operation: "ImageCommit",
    query: {
      container: text,
      repo: text,
      tag: text,
      comment: text,
      author: text,
      pause: flagOrTrue,
      changes: textList,
    },
    body: true,
    async handle({ query, body, engine }) {
      const image = await commit(engine.images, engine.containers.get(query.container ?? ""), {
        name: nameOf(query.repo, query.tag),
        author: query.author ?? "",
        comment: query.comment ?? "",
        changes: query.changes,
        pause: query.pause,
        config: body === null || body === undefined ? undefined : parseCommitConfig(body),
      });
      return json({ Id: image.id }, 201);
    },
    async explain({ query, engine }) {
      const steps = await foreseeCommit(engine.containers.get(query.container ?? ""), query.pause);
      return explainSteps(steps, [
        "What is read this way becomes a layer: the engine compresses it, and writes it, its configuration and its manifest to its own files.",
      ]);
    },
  }),
  route({
    method: "GET",
    path: "/images/get",
    operation: "ImageGetAll",
    query: { names: textList, platform: text },
    handle: ({ query, engine, apiMinor }) =>
      saveReply(
        engine,
        query.names.flatMap((names) => names.split(",")),
        platformSince("archivedPlatform", apiMinor, query.platform),
      ),
  }),
  route({
    method: "GET",
    path: "/images/*name/get",
    operation: "ImageGet",
    query: { platform: text },
    handle: ({ params, query, engine, apiMinor }) =>
      saveReply(engine, [params.name], platformSince("archivedPlatform", apiMinor, query.platform)),
  }),
  route({
    method: "POST",
    path: "/images/load",
    operation: "ImageLoad",
    query: { quiet: flag, platform: text },
    body: "stream",
    handle({ query, engine, upload, apiMinor }) {
      const wanted = platformSince("archivedPlatform", apiMinor, query.platform);
      return progressReply(async (send) => {
        for (const { image, names } of await loadImages(engine.images, upload, wanted)) {
          for (const name of names) send({ stream: `Loaded image: ${familiarReference(name)}\n` });
          if (names.length === 0) send({ stream: `Loaded image ID: ${image.id}\n` });
        }
      });
    },
  }),
];

function saveReply(engine: Engine, names: readonly string[], wanted: Platform | undefined): Reply {
  if (names.length === 0)
    throw OrlopError.of("bad_value", { what: "names", value: "", expected: "at least one image" });
  const chosen = chooseImages(engine.images, names, wanted);
  return { kind: "stream", contentType: "application/x-tar", chunks: saveImages(engine.images, chosen) };
}

interface ImportQuery {
  readonly repo: string | undefined;
  readonly tag: string | undefined;
  readonly message: string | undefined;
  readonly changes: readonly string[];
  readonly platform: string | undefined;
}

/** `POST /images/create?fromSrc=`: "-" for an archive in the body, or a URL. */
export function importReply(
  { images }: Engine,
  source: string,
  { repo, tag, message = "", changes, platform: wanted }: ImportQuery,
  { upload, signal }: { readonly upload: AsyncIterable<Uint8Array>; readonly signal: AbortSignal },
): Promise<Reply> {
  const name = nameOf(repo, tag);
  const request = { name, message, changes, platform: wanted === undefined ? hostPlatform() : platformOf(wanted) };
  return progressReply(async (send) => {
    if (source !== "-") send({ status: `Downloading from ${source}` });
    const registries = await images.registrySettings.registries();
    const archive = source === "-" ? upload : registries.download(source, signal);
    const image = await importImage(images, archive, request);
    send({ status: image.id });
  });
}
