/** Disk usage (`system df`), and verification of stored images (`system check`). */

import { OrlopError } from "../base/errors.ts";
import { usageOfContainers, usageOfImages } from "../engine/disk-usage.ts";
import type { Engine } from "../engine/engine.ts";
import { checkImages } from "../engine/images/check-images.ts";
import { parseRegistryAuth } from "../spec/registry-credentials.ts";
import { summary } from "./container-json.ts";
import { imageSummary } from "./image-json.ts";
import { summaryNetworks, summaryPorts } from "./network-json.ts";
import { progressReply } from "./progress-reply.ts";
import { flag, type ParseParameter } from "./query.ts";
import { json } from "./reply.ts";
import { route } from "./route.ts";
import { has } from "./versions.ts";
import { volumeJson } from "./volume-json.ts";

const kinds = ["container", "image", "volume", "build-cache"];

/** Can be given more than once. */
const kindsAsked: ParseParameter<readonly string[] | undefined> = (_given, _name, all = []) => {
  const asked = all.flatMap((one) => one.split(",")).filter((kind) => kind !== "");
  if (asked.length === 0) return undefined;
  const unknown = asked.find((kind) => !kinds.includes(kind));
  if (unknown !== undefined)
    throw OrlopError.of("bad_value", { what: "parameter type", value: unknown, expected: kinds.join(", ") });
  return asked;
};

async function imagesPart(engine: Engine, apiMinor: number): Promise<object> {
  const { images, layerBytes, blobBytes } = await usageOfImages(engine.images);
  return {
    LayersSize: layerBytes,
    // Orlop's own field: compressed blobs are kept beside the unpacked layers.
    BlobsSize: blobBytes,
    Images: images.map((usage) => imageSummary({ ...usage, apiMinor })),
  };
}

async function containersPart(engine: Engine, apiMinor: number): Promise<object> {
  const newestFirst = (await usageOfContainers(engine.containers)).toReversed();
  const nowMs = Date.now();
  const linkNames = engine.containers.linkNames();
  return {
    Containers: await Promise.all(
      newestFirst.map(async ({ container, size }) =>
        summary(container, nowMs, {
          networkSettings: await summaryNetworks(container, engine),
          ports: summaryPorts(container, engine),
          size,
          apiMinor,
          linkNames: linkNames.get(container.id) ?? [],
        }),
      ),
    ),
  };
}

async function volumesPart(engine: Engine): Promise<object> {
  const used = await engine.volumeUsage();
  return {
    Volumes: used.map(({ volume, bytes }) => ({
      ...volumeJson(volume),
      UsageData: { Size: bytes, RefCount: volume.references.size },
    })),
  };
}

export const diskRoutes = [
  route({
    method: "GET",
    path: "/system/df",
    operation: "SystemDataUsage",
    query: { type: kindsAsked, verbose: flag },
    async handle({ query, engine, apiMinor }) {
      const kinds = has(apiMinor, "usageType") ? query.type : undefined;
      const isAsked = (kind: string): boolean => kinds?.includes(kind) ?? true;
      const parts = await Promise.all([
        isAsked("image") ? imagesPart(engine, apiMinor) : {},
        isAsked("container") ? containersPart(engine, apiMinor) : {},
        isAsked("volume") ? volumesPart(engine) : {},
      ]);
      const cache = isAsked("build-cache") ? { BuildCache: [] } : {};
      const builder = has(apiMinor, "builderSize") ? {} : { BuilderSize: 0 };
      return json(Object.assign({}, ...parts, cache, builder));
    },
  }),
  // There is no builder, and so no build cache; `docker system prune` asks for this last.
  route({
    method: "POST",
    path: "/build/prune",
    operation: "BuildPrune",
    query: {},
    handle: () => json({ CachesDeleted: [], SpaceReclaimed: 0 }),
  }),
  route({
    method: "POST",
    path: "/orlop/check",
    operation: "OrlopCheck",
    query: { repair: flag },
    handle({ query, engine, registryAuth, signal }) {
      const credentials = parseRegistryAuth(registryAuth);
      return progressReply(async (send) => {
        const { checked, faults } = await checkImages(engine.images, {
          repair: query.repair,
          signal,
          onFault: ({ what, outcome, isMended }) =>
            send({ status: `${what}: ${outcome}`, aux: { What: what, Mended: isMended } }),
          ...(credentials && { credentials }),
        });
        send({ status: `${checked} checked, ${faults} damaged`, aux: { Checked: checked, Damaged: faults } });
      });
    },
  }),
];
