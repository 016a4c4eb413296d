/** `commit`: an image from a container's changes, on top of its image's layers. */

import { storeLayer } from "../../images/layer-blob.ts";
import type { Lease } from "../../images/leases.ts";
import type { Step } from "../../kernel/step.ts";
import type { Digest } from "../../spec/digest.ts";
import { applyChanges } from "../../spec/image-change.ts";
import type { ContainerDefaults, Descriptor, ImageConfig } from "../../spec/oci-image.ts";
import { hostPlatform } from "../../spec/platform.ts";
import { familiarReference, type Reference } from "../../spec/reference.ts";
import { TreeTar } from "../../storage/tree-tar.ts";
import type { Container } from "../containers/container.ts";
import { addMadeImage } from "./add-image.ts";
import { encodeImageConfig } from "./encode-config.ts";
import type { ImageRecord } from "./image-record.ts";
import type { Images } from "./images.ts";
import { mergedConfig } from "./merged-config.ts";

export interface CommitRequest {
  /** undefined: the image has no name. */
  readonly name: Reference | undefined;
  readonly author: string;
  readonly comment: string;
  /** Dockerfile instructions. */
  readonly changes: readonly string[];
  /** The new image's configuration. Fields that it leaves out are the container's; `changes` are applied on top. */
  readonly config: ContainerDefaults | undefined;
  /** Pauses the container while its files are read. */
  readonly pause: boolean;
}

/**
 * @returns the image, durable. From a container of `host` or of a directory it has one layer, with the whole root.
 * @throws {OrlopError} bad_change, changes_in_memory
 */
export async function commit(images: Images, container: Container, request: CommitRequest): Promise<ImageRecord> {
  const { image } = container.record;
  const { content, leases } = await images.stores();
  const base = image === undefined ? undefined : images.table.get(image.id);
  const own = configOf(container);
  const config =
    request.config === undefined
      ? applyChanges(own, request.changes)
      : mergedConfig(applyChanges(request.config, request.changes), own);
  using lease = leases.open();
  lease.hold(base?.layers.map(({ digest }) => digest) ?? []);
  const made = await readPaused(container, request.pause, () => changedLayer(container, lease, content));
  const before = base === undefined ? undefined : await images.config(base);
  const below: Descriptor[] = (base?.layers ?? []).map(({ digest, mediaType, sizeBytes }) => ({
    digest,
    mediaType,
    size: sizeBytes,
  }));
  const encoded = encodeImageConfig({
    platform: before?.platform ?? hostPlatform(),
    config,
    author: request.author,
    diffIds: [...(before?.diffIds ?? []), ...(made === undefined ? [] : [made.diffId])],
    history: [...historyOf(before), historyEntry(container, request, made === undefined)],
  });
  const layers = made === undefined ? below : [...below, made.layer];
  const record = await addMadeImage(images, {
    config: encoded,
    layers,
    names: request.name === undefined ? [] : [request.name],
    lease,
  });
  const imageRef = request.name === undefined ? "" : familiarReference(request.name);
  if (request.name !== undefined) images.publish("tag", record.id, imageRef, record.labels);
  container.files.noteCommit({ comment: request.comment, imageID: record.id, imageRef });
  return record;
}

/** The steps of a commit in the executor, which reads the files. The engine makes the image from them itself. */
export async function foreseeCommit(container: Container, pause: boolean): Promise<readonly Step[]> {
  const isPaused = pause && container.status === "running";
  const hasImage = container.record.image !== undefined;
  const read = hasImage ? container.files.foreseeChanges() : await container.files.foreseeExport();
  const { freeze, thaw } = container.foreseePause();
  return isPaused ? [...freeze, ...read, ...thaw] : read;
}

/** undefined if nothing was changed. */
async function changedLayer(
  container: Container,
  lease: Lease,
  content: Parameters<typeof storeLayer>[1],
): Promise<{ readonly layer: Descriptor; readonly diffId: Digest } | undefined> {
  if (container.record.image === undefined) return storeLayer(await container.files.export(), content, lease);
  const tar = new TreeTar({
    nameOf: (path, node) => (path !== "" ? path : node.isSame || node.isTouched ? undefined : "./"),
    isLayer: true,
  });
  async function* archive(): AsyncGenerator<Uint8Array> {
    for (const { batches } of container.files.changedLayers(true))
      for await (const records of batches) {
        for (const record of records) tar.take(record);
        yield* tar.written();
      }
    tar.end();
    yield* tar.written();
  }
  const made = await storeLayer(archive(), content, lease);
  return tar.count === 0 ? undefined : made;
}

async function readPaused<T>(container: Container, pause: boolean, read: () => Promise<T>): Promise<T> {
  if (!pause || container.status !== "running") return read();
  await container.pause();
  try {
    return await read();
  } finally {
    await container.unpause();
  }
}

/** The image configuration from the container's create body. */
function configOf({ body, record }: Container): ContainerDefaults {
  const image = record.image?.config ?? {};
  const volumes = [...(image.Volumes ?? []), ...Object.keys(body.Volumes)];
  const ports = [...(image.ExposedPorts ?? []), ...Object.keys(body.ExposedPorts)];
  return {
    ...(body.User === "" ? {} : { User: body.User }),
    ...(ports.length === 0 ? {} : { ExposedPorts: [...new Set(ports)] }),
    Env: body.Env,
    ...(body.Entrypoint === null ? {} : { Entrypoint: body.Entrypoint }),
    ...(body.Cmd === null ? {} : { Cmd: body.Cmd }),
    ...(volumes.length === 0 ? {} : { Volumes: [...new Set(volumes)] }),
    ...(body.WorkingDir === "" ? {} : { WorkingDir: body.WorkingDir }),
    Labels: body.Labels,
    ...(body.StopSignal === "" ? {} : { StopSignal: body.StopSignal }),
    ...(body.Shell === undefined ? {} : { Shell: body.Shell }),
    ...(body.OnBuild ? { OnBuild: body.OnBuild } : {}),
    ...(image.Healthcheck === undefined ? {} : { Healthcheck: image.Healthcheck }),
  };
}

function historyOf(before: ImageConfig | undefined): readonly unknown[] {
  if (before === undefined) return [];
  const document = JSON.parse(new TextDecoder().decode(before.raw)) as { history?: readonly unknown[] };
  return document.history ?? [];
}

function historyEntry({ body }: Container, { author, comment }: CommitRequest, isEmpty: boolean): unknown {
  return {
    created: new Date().toISOString(),
    created_by: [...(body.Entrypoint ?? []), ...(body.Cmd ?? [])].join(" "),
    ...(author === "" ? {} : { author }),
    ...(comment === "" ? {} : { comment }),
    ...(isEmpty ? { empty_layer: true } : {}),
  };
}
