/** What a state directory holds after a power loss: whole, or not there. */

import { Database } from "bun:sqlite";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { EngineClient } from "../../src/client/engine-client.ts";
import type { ContainerRecord } from "../../src/engine/containers/container-record.ts";
import { isHostImage } from "../../src/engine/images/host-image.ts";
import type { ImageRecord, NameRecord } from "../../src/engine/images/image-record.ts";
import { isBuiltIn, type NetworkRecord } from "../../src/engine/networks/network-record.ts";
import type { VolumeRecord } from "../../src/engine/volumes/volume-record.ts";
import type { RecordKind } from "../../src/store/rows.ts";

/** A layer's files, by their path. */
export type Files = Readonly<Record<string, Buffer>>;

/** One thing that an engine says is there: "engine ID", "boot ID", "image NAME" (also "… for ARCHITECTURE", if another one), "container NAME, MEMORY", "volume NAME", "network NAME". */
export type Fact = string;

/** What was acknowledged at that place of the record: this, and nothing else of these kinds. */
export interface Acknowledged {
  readonly position: number;
  readonly facts: ReadonlySet<Fact>;
}

/** Everything that is wrong with a state directory. layers: what those that are known have in them, by diff id. */
export function checkState(
  root: string,
  layers: ReadonlyMap<string, Files>,
  promises: readonly Acknowledged[],
  position: number,
): string[] {
  const faults = [...checkBlobs(root), ...checkLayers(root, layers)];
  const records = readRecords(root);
  const { images, names } = records;
  const here = factsOf(records);
  const kept = promises.findLastIndex((promise) => promise.position <= position);
  const last = promises[kept]?.facts ?? new Set<Fact>();
  const next = promises[kept + 1]?.facts ?? last;
  // the change that was under way may be there or not
  for (const fact of new Set([...last, ...next, ...here])) {
    if (last.has(fact) && next.has(fact) && !here.has(fact)) faults.push(`${fact} was acknowledged, and is gone`);
    if (!last.has(fact) && !next.has(fact) && here.has(fact) && !/^(engine|boot) /.test(fact))
      faults.push(`${fact} is there, and should not be`);
  }
  for (const { name } of records.volumes) {
    const isGoing = last.has(`volume ${name}`) && !next.has(`volume ${name}`); // its data goes before its record
    if (!isGoing && !existsSync(join(root, "volumes", name, "_data"))) faults.push(`volume ${name} has no data`);
  }
  for (const { reference, image, target } of names)
    if (!images.some((one) => one.id === image && leads(one, target))) faults.push(`${reference} leads to nothing`);
  for (const { id, manifest, indexes, layers: own } of images) {
    for (const digest of [id, manifest.digest, ...indexes, ...own.map((layer) => layer.digest)])
      if (!existsSync(blobPath(root, digest))) faults.push(`image ${id} misses blob ${digest}`);
    for (const { diffId } of own)
      if (!existsSync(layerPath(root, diffId))) faults.push(`image ${id} misses layer ${diffId}`);
  }
  return faults;
}

interface Records {
  /** What the engine notes of itself and of the machine, as facts. */
  readonly notes: readonly Fact[];
  readonly images: readonly ImageRecord[];
  readonly names: readonly NameRecord[];
  readonly containers: readonly ContainerRecord[];
  readonly volumes: readonly VolumeRecord[];
  readonly networks: readonly NetworkRecord[];
}

function leads({ manifest, indexes }: ImageRecord, target: string): boolean {
  return [manifest.digest, ...indexes].some((digest) => digest === target);
}

function imageFacts(name: string, architectures: readonly string[]): Fact[] {
  const others = architectures.filter((one) => one !== "amd64");
  return [`image ${name}`, ...others.map((one) => `image ${name} for ${one}`)];
}

function factsOf({ notes, images, names, containers, volumes, networks }: Records): Set<Fact> {
  const architectures = (target: string): string[] =>
    images.filter((image) => leads(image, target)).map(({ platform }) => platform.architecture);
  return new Set([
    ...notes,
    ...names
      .filter(({ reference }) => !reference.includes("@"))
      .flatMap(({ reference, target }) => imageFacts(reference, architectures(target))),
    ...containers.map(({ name, body }) => `container ${name}, ${body.HostConfig.Memory}`),
    ...volumes.map(({ name }) => `volume ${name}`),
    ...networks.filter(({ name }) => !isBuiltIn(name)).map(({ name }) => `network ${name}`),
  ]);
}

interface Listed {
  readonly RepoTags: readonly string[];
  readonly Manifests?: readonly {
    readonly Available: boolean;
    readonly ImageData: { readonly Platform: { readonly architecture: string } };
  }[];
}

/** What an engine says is there. */
export async function factsFrom(engine: EngineClient): Promise<Set<Fact>> {
  const images = await engine.json<readonly Listed[]>({
    method: "GET",
    path: "/images/json",
    query: { manifests: true },
  });
  const containers = await engine.containers.list({ all: true });
  const inspected = await Promise.all(containers.map(({ Id }) => engine.containers.inspect(Id)));
  const volumes = await engine.volumes.list();
  const networks = await engine.networks.list();
  const { ID } = await engine.json<{ readonly ID: string }>({ method: "GET", path: "/info" });
  return new Set([
    `engine ${ID}`,
    `boot ${readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()}`,
    ...images.flatMap(({ RepoTags, Manifests = [] }) => {
      const here = Manifests.filter(({ Available }) => Available);
      const architectures = here.map(({ ImageData }) => ImageData.Platform.architecture);
      return RepoTags.filter((name) => !isHostImage(name)).flatMap((name) => imageFacts(name, architectures));
    }),
    ...inspected.map(({ Name, HostConfig }) => `container ${Name.slice(1)}, ${HostConfig.Memory}`),
    ...volumes.map(({ Name }) => `volume ${Name}`),
    ...networks.filter(({ Name }) => !isBuiltIn(Name)).map(({ Name }) => `network ${Name}`),
  ]);
}

function readRecords(root: string): Records {
  const path = join(root, "orlop.db");
  const notes = ["engine", "boot"].flatMap((kind) => {
    const file = join(root, `${kind}-id`);
    return existsSync(file) ? [`${kind} ${readFileSync(file, "utf8").trim()}`] : [];
  });
  const none = { notes, images: [], names: [], containers: [], volumes: [], networks: [] };
  if (!existsSync(path)) return none;
  const database = new Database(path);
  try {
    const known = database.query("SELECT name FROM sqlite_master WHERE name = 'records'").all();
    if (known.length === 0) return none;
    const read = <T>(kind: RecordKind): T[] =>
      database
        .query<{ record: string }, [string]>("SELECT record FROM records WHERE kind = ?")
        .all(kind)
        .map(({ record }) => JSON.parse(record) as T);
    return {
      notes,
      images: read("image"),
      names: read("tag"),
      containers: read("container"),
      volumes: read("volume"),
      networks: read("network"),
    };
  } finally {
    database.close();
  }
}

/** A blob that has its name is what the name says; index.json is whole. */
function checkBlobs(root: string): string[] {
  const folder = join(root, "content/blobs/sha256");
  const index = join(root, "content/index.json");
  const faults = existsSync(index) && !isJson(readFileSync(index, "utf8")) ? ["index.json is not whole"] : [];
  const bad = (existsSync(folder) ? readdirSync(folder) : []).filter(
    (name) =>
      createHash("sha256")
        .update(readFileSync(join(folder, name)))
        .digest("hex") !== name,
  );
  return [...faults, ...bad.map((name) => `blob ${name} is damaged`)];
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** A layer that has its name has every file, and what is known of it. */
function checkLayers(root: string, layers: ReadonlyMap<string, Files>): string[] {
  const folder = join(root, "layers");
  const there = (existsSync(folder) ? readdirSync(folder) : []).filter((name) => /^[0-9a-f]{64}$/.test(name));
  return there.flatMap((name) => {
    const facts = join(folder, `${name}.json`);
    const lost = existsSync(facts) && isJson(readFileSync(facts, "utf8")) ? [] : [`layer ${name} has no facts`];
    const files = Object.entries(layers.get(`sha256:${name}`) ?? {});
    const bad = files.filter(([path, bytes]) => {
      const whole = join(folder, name, path);
      return !existsSync(whole) || !readFileSync(whole).equals(bytes);
    });
    return [...lost, ...bad.map(([path]) => `layer ${name}: ${path} is damaged`)];
  });
}

function blobPath(root: string, digest: string): string {
  return join(root, "content/blobs/sha256", digest.slice("sha256:".length));
}

function layerPath(root: string, diffId: string): string {
  return join(root, "layers", diffId.slice("sha256:".length));
}
