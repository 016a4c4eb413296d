/** A container's files: archives in and out (cp, export), and its changes (diff, commit). */

import { posix } from "node:path";
import { OrlopError } from "../../base/errors.ts";
import { decompress } from "../../images/decompress.ts";
import { S_IFDIR, S_IFLNK, S_IFMT } from "../../kernel/linux.ts";
import { StreamedStepFailure } from "../../kernel/plan-stream.ts";
import type { Step } from "../../kernel/step.ts";
import type { TreeNode, TreeRecord } from "../../kernel/tree-record.ts";
import { TreeStream } from "../../kernel/tree-stream.ts";
import { type ByteString, byteStringOfText, bytesOf } from "../../spec/tar-entry.ts";
import { TarReader } from "../../spec/tar-reader.ts";
import { type Change, ChangeFilter, changeOf } from "../../storage/changes.ts";
import { CopyPlanner } from "../../storage/plan-copy.ts";
import { sparseMinBytes, tarOfTree } from "../../storage/tree-tar.ts";
import { type Access, layersOf, partsOf, planComparison, type RootLayer } from "../../storage/view.ts";
import type { EngineParts } from "../engine-parts.ts";
import { type AskedPath, archiveName, askedPath } from "./archive-path.ts";
import { planStart, type StartPlan } from "./container-plan.ts";
import { notStalled } from "./not-stalled.ts";
import { explainFileError, type OpenRoot, openRoot, placeOf, planOpening, type RootSource } from "./open-root.ts";
import { isInMount, mountPlaces } from "./seen-mounts.ts";

/** The container's state at this moment, and how to keep other operations away. */
export interface FilesSource extends RootSource {
  readonly publish: (
    action: "archive-path" | "commit" | "export" | "extract-to-dir",
    more?: Readonly<Record<string, string>>,
  ) => void;
  /** Runs `work` in the container's queue: no other operation runs until it has settled. */
  exclusively<T>(work: () => Promise<T>): Promise<T>;
  /** Another operation waits in the queue. */
  readonly isAwaited: boolean;
}

export interface FileStatus {
  readonly name: string;
  readonly size: number;
  readonly mode: number;
  readonly mtimeNs: bigint;
  /** For a symbolic link: the file that it finally leads to. */
  readonly target: string;
}

export interface PutOptions {
  readonly noOverwriteDirNonDir: boolean;
  /** Everything is owned by the container's `User`, where it has one, instead of by the ids in the archive. */
  readonly copyUidGid: boolean;
}

/** How long a client that copies may send nothing while other operations wait. */
const COPY_IDLE_MS = 5000;
/** The limit of steps for an archive that is only explained. */
const FORESEEN_MAX = 10_000;
/** Limits the memory that `changes` takes: all paths are sorted, and sent in one answer. */
const CHANGES_MAX_BYTES = 128 * 1024 * 1024;

export class ContainerFiles {
  readonly #parts: EngineParts;
  readonly #source: () => FilesSource;

  constructor(parts: EngineParts, source: () => FilesSource) {
    this.#parts = parts;
    this.#source = source;
  }

  /** @throws {OrlopError} file_not_found */
  async status(written: string): Promise<FileStatus> {
    const asked = askedPath(written);
    const { stream, node } = await this.#open(asked, "read");
    stream.close();
    return statusOf(asked, node);
  }

  /** The file or directory at a path, as an archive. @throws {OrlopError} file_not_found */
  async get(written: string): Promise<{ readonly status: FileStatus; readonly archive: AsyncGenerator<Uint8Array> }> {
    const asked = askedPath(written);
    const { stream, node, plan } = await this.#open(asked, "read");
    const walk = walkOf(asked, node, plan);
    const top = byteStringOfText(asked.name);
    const nameOf = (path: string): string => archiveName(top, path);
    this.#source().publish("archive-path");
    return {
      status: statusOf(asked, node),
      archive: tarOfTree(this.#withExplainedErrors(stream.read([walk])), { nameOf }),
    };
  }

  /** What `get` does. Only looked at. @throws {OrlopError} file_not_found */
  async foreseeGet(written: string): Promise<Step[]> {
    const asked = askedPath(written);
    const { stream, node, plan } = await this.#open(asked, "read");
    stream.close();
    return [...(await planOpening(this.#parts, this.#source(), plan, asked, "read")), walkOf(asked, node, plan)];
  }

  /** What `export` does. */
  async foreseeExport(): Promise<Step[]> {
    const { record } = this.#source();
    const plan = planStart(record.id, record, this.#parts);
    const opening = await planOpening(this.#parts, this.#source(), plan, askedPath("/"), "read");
    return [...opening, walkStep("/", true, partsOf(plan.root))];
  }

  /** The whole root as an archive, without mounts. */
  async export(): Promise<AsyncGenerator<Uint8Array>> {
    const { stream, plan } = await this.#open(askedPath("/"), "read");
    const walk = walkStep("/", true, partsOf(plan.root));
    this.#source().publish("export");
    return tarOfTree(this.#withExplainedErrors(stream.read([walk])), {
      nameOf: (path) => (path === "" ? undefined : path),
    });
  }

  /**
   * Unpacks an archive into a directory of the container.
   *
   * @param archive compressed or not
   * @throws {OrlopError} file_not_found, not_a_directory, copy_refused, read_only_root, read_only_volume, bad_tar, unsupported_compression
   */
  async put(written: string, archive: AsyncIterable<Uint8Array>, options: PutOptions): Promise<void> {
    const { isRunning, exclusively, record } = this.#source();
    if (isRunning) return this.#put(written, archive, options);
    const pieces = notStalled(archive, {
      idleMs: COPY_IDLE_MS,
      isAwaited: () => this.#source().isAwaited,
      stalled: () => OrlopError.of("copy_stalled", { name: record.name, seconds: COPY_IDLE_MS / 1000 }),
    });
    return exclusively(() => this.#put(written, pieces, options));
  }

  async #put(written: string, archive: AsyncIterable<Uint8Array>, options: PutOptions): Promise<void> {
    const asked = askedDirectory(written);
    const opened = await this.#open(asked, "write");
    const { stream, node, plan } = opened;
    try {
      const planner = this.#planCopy(written, opened, options, (step) => stream.plan.add(step));
      await feed(planner, asked.path, archive, () => stream.plan.flush());
      await stream.plan.end();
      this.#source().publish("extract-to-dir");
    } catch (error) {
      await stream.plan.abandon();
      if (error instanceof StreamedStepFailure && error.errno === "EROFS" && isInMount(placeOf(node), plan))
        throw OrlopError.of("read_only_volume", {}, error);
      throw explainFileError(error, this.#source().record, written);
    }
  }

  /** What `put` does with this archive. Only looked at. @throws {OrlopError} as `put` */
  async foreseePut(written: string, archive: AsyncIterable<Uint8Array>, options: PutOptions): Promise<Step[]> {
    const asked = askedDirectory(written);
    const opened = await this.#open(asked, "read");
    opened.stream.close();
    const steps = await planOpening(this.#parts, this.#source(), opened.plan, asked, "write");
    const planner = this.#planCopy(written, opened, options, (step) => {
      if (steps.push(step) > FORESEEN_MAX)
        throw OrlopError.of("not_explained", { what: `more than ${FORESEEN_MAX} steps` });
    });
    await feed(planner, asked.path, archive, async () => undefined);
    return steps;
  }

  /** @throws {OrlopError} not_a_directory, read_only_root */
  #planCopy(written: string, { node, plan }: OpenRoot, options: PutOptions, emit: (step: Step) => void): CopyPlanner {
    if ((node.mode & S_IFMT) !== S_IFDIR) throw OrlopError.of("not_a_directory", { path: written });
    const { body } = this.#source().record;
    if (body.HostConfig.ReadonlyRootfs && !isInMount(placeOf(node), plan)) throw OrlopError.of("read_only_root", {});
    const { uid, gid } = plan.spec.process.user;
    const owner = options.copyUidGid && body.User !== "" ? { uid, gid } : undefined;
    return new CopyPlanner(emit, { strict: options.noOverwriteDirNonDir, owner });
  }

  /** Everything that differs from the image, sorted by path. @throws {OrlopError} changes_in_memory, changes_too_many */
  async changes(): Promise<Change[]> {
    const changes: Change[] = [];
    let left = CHANGES_MAX_BYTES;
    for (const { layer, batches } of this.changedLayers(false))
      for await (const records of batches)
        for (const record of records) {
          const change = record.kind === "entry" ? changeOf(record.node) : undefined;
          if (change === undefined) continue;
          changes.push({ ...change, path: `${layer.place}/${change.path}` });
          left -= change.path.length;
          if (left < 0)
            throw OrlopError.of("changes_too_many", {
              name: this.#source().record.name,
              limitBytes: CHANGES_MAX_BYTES,
            });
        }
    return changes.sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  /** Publishes that an image was committed from this container. */
  noteCommit(attributes: Readonly<Record<string, string>>): void {
    this.#source().publish("commit", attributes);
  }

  /** Each overlay of the root, with records of what was changed in it. @param content includes the content of files */
  changedLayers(
    content: boolean,
  ): { readonly layer: RootLayer; readonly batches: AsyncGenerator<readonly TreeRecord[]> }[] {
    const { record } = this.#source();
    const plan = planStart(record.id, record, this.#parts);
    if (plan.root.inMemory) throw OrlopError.of("changes_in_memory", { name: record.name });
    return layersOf(plan.root).map((layer) => ({ layer, batches: this.#changed(layer, plan, content) }));
  }

  /** What reading `changedLayers` does, content too: a plan for each. */
  foreseeChanges(): Step[] {
    const { record } = this.#source();
    const plan = planStart(record.id, record, this.#parts);
    if (plan.root.inMemory) throw OrlopError.of("changes_in_memory", { name: record.name });
    return [...plan.root.prepare, ...layersOf(plan.root).flatMap((layer) => this.#planChanged(layer, true))];
  }

  #planChanged(layer: RootLayer, content: boolean): Step[] {
    return planComparison(layer, `${this.#parts.places.runDir}/below`, content);
  }

  async *#changed(layer: RootLayer, plan: StartPlan, content: boolean): AsyncGenerator<readonly TreeRecord[]> {
    await this.#parts.executor.run(plan.root.prepare); // a container that never ran has no upper directory yet
    const stream = new TreeStream(await this.#parts.executor.connectTask());
    const filter = new ChangeFilter({ mountPoints: layer.place === "" ? standardMountPoints : new Set() });
    for await (const records of this.#withExplainedErrors(stream.read(this.#planChanged(layer, content))))
      yield records.flatMap((record) => filter.take(record));
  }

  #open(asked: AskedPath, access: Access): Promise<OpenRoot> {
    return openRoot(this.#parts, this.#source(), asked, access);
  }

  async *#withExplainedErrors<T>(batches: AsyncIterable<T>): AsyncGenerator<T> {
    try {
      yield* batches;
    } catch (error) {
      throw explainFileError(error, this.#source().record, "");
    }
  }
}

/** Mount points of every container. They are created where an image lacks them, and are no changes. */
const standardMountPoints: ReadonlySet<string> = new Set([
  "proc",
  "sys",
  "dev",
  "etc/hosts",
  "etc/hostname",
  "etc/resolv.conf",
]);

/** Where an archive is put: a directory, whatever the path looks like. */
function askedDirectory(written: string): AskedPath {
  return { ...askedPath(written), follow: true, isDirectory: false };
}

/** An archive's entries, each made a step as it comes. @param flush after each piece */
async function feed(
  planner: CopyPlanner,
  directory: string,
  archive: AsyncIterable<Uint8Array>,
  flush: () => Promise<void>,
): Promise<void> {
  const reader = new TarReader(planner);
  planner.begin(directory);
  for await (const piece of decompress(archive)) {
    reader.write(piece);
    await flush();
  }
  reader.end();
  planner.end();
}

function walkOf(asked: AskedPath, node: TreeNode, plan: StartPlan): Step {
  // The resolved path, because mounts are known by their resolved paths.
  const place = isLink(node) ? asked.path : placeOf(node) || asked.path;
  return walkStep(place, asked.follow && place === asked.path, [...partsOf(plan.root), ...mountPlaces(plan)]);
}

function walkStep(path: string, follow: boolean, enter: readonly string[]): Step {
  const why = "what the path names, and everything in it";
  return { op: "tree-walk", path, follow: follow ? 1 : 0, flags: 1, sparse: sparseMinBytes, enter, why };
}

function isLink(node: TreeNode): boolean {
  return (node.mode & S_IFMT) === S_IFLNK;
}

function statusOf(asked: AskedPath, node: TreeNode): FileStatus {
  const link = bytesOf(node.link as ByteString).toString("utf8");
  const target = placeOf(node) || posix.resolve(posix.dirname(asked.path), link);
  const { size, mode, mtimeNs } = node;
  return { name: asked.name, size, mode, mtimeNs, target: isLink(node) ? target : "" };
}
