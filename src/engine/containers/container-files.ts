/** A container's files from outside: archives in and out, and what it changed. */

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
import { explained, type OpenRoot, openRoot, placeOf, type RootSeen } from "./open-root.ts";
import { isInMount, mountPlaces } from "./seen-mounts.ts";

/** The container at this moment, and how it is kept as it is. */
export interface FilesSource extends RootSeen {
  /** Of what clients do. */
  readonly tell: (
    action: "archive-path" | "commit" | "export" | "extract-to-dir",
    more?: Readonly<Record<string, string>>,
  ) => void;
  /** Nothing else happens to the container until this has settled. */
  exclusively<T>(work: () => Promise<T>): Promise<T>;
  /** Somebody waits for what is done exclusively. */
  readonly isAwaited: boolean;
}

/** What a path names. */
export interface FileStatus {
  readonly name: string;
  readonly size: number;
  readonly mode: number;
  readonly mtimeNs: bigint;
  /** Of a link: where it leads to in the end. */
  readonly target: string;
}

export interface PutOptions {
  readonly noOverwriteDirNonDir: boolean;
  /** Everything becomes the user's that the container was made with, where it was made with one. */
  readonly copyUidGid: boolean;
}

/** So long a client that copies may keep others waiting and send nothing. */
const COPY_IDLE_MS = 5000;
/** They are told sorted, in one answer. */
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

  /** What a path names, and everything in it, as an archive. @throws {OrlopError} file_not_found */
  async get(written: string): Promise<{ readonly status: FileStatus; readonly archive: AsyncGenerator<Uint8Array> }> {
    const asked = askedPath(written);
    const { stream, node, plan } = await this.#open(asked, "read");
    // where the path leads to: mounts are known by their places
    const place = isLink(node) ? asked.path : placeOf(node) || asked.path;
    const walk = walkStep(place, asked.follow && place === asked.path, [...partsOf(plan.root), ...mountPlaces(plan)]);
    const top = byteStringOfText(asked.name);
    const nameOf = (path: string): string => archiveName(top, path);
    this.#source().tell("archive-path");
    return {
      status: statusOf(asked, node),
      archive: tarOfTree(this.#told(stream.read([walk])), { nameOf }),
    };
  }

  /** The whole root as an archive, without what is mounted in it. */
  async export(): Promise<AsyncGenerator<Uint8Array>> {
    const { stream, plan } = await this.#open(askedPath("/"), "read");
    const walk = walkStep("/", true, partsOf(plan.root));
    this.#source().tell("export");
    return tarOfTree(this.#told(stream.read([walk])), { nameOf: (path) => (path === "" ? undefined : path) });
  }

  /**
   * Puts what an archive holds into a directory.
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
    const asked = { ...askedPath(written), follow: true, isDirectory: false };
    const { stream, node, plan } = await this.#open(asked, "write");
    try {
      if ((node.mode & S_IFMT) !== S_IFDIR) throw OrlopError.of("not_a_directory", { path: written });
      if (this.#source().record.body.HostConfig.ReadonlyRootfs && !isInMount(placeOf(node), plan))
        throw OrlopError.of("read_only_root", {});
      const { uid, gid } = plan.spec.process.user;
      const isNamed = this.#source().record.body.User !== "";
      const owner = options.copyUidGid && isNamed ? { uid, gid } : undefined;
      const planner = new CopyPlanner((step) => stream.plan.add(step), { strict: options.noOverwriteDirNonDir, owner });
      const reader = new TarReader(planner);
      planner.begin(asked.path);
      for await (const piece of decompress(archive)) {
        reader.write(piece);
        await stream.plan.flush();
      }
      reader.end();
      planner.end();
      await stream.plan.end();
      this.#source().tell("extract-to-dir");
    } catch (error) {
      await stream.plan.abandon();
      if (error instanceof StreamedStepFailure && error.errno === "EROFS" && isInMount(placeOf(node), plan))
        throw OrlopError.of("read_only_volume", {}, error);
      throw explained(error, this.#source().record, written);
    }
  }

  /** Everything that is not as the image has it, by path. @throws {OrlopError} changes_in_memory, changes_too_many */
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

  /** An image was made of it. */
  noteCommit(attributes: Readonly<Record<string, string>>): void {
    this.#source().tell("commit", attributes);
  }

  /** Each of the root's overlays, with the records of what was changed in it. @param content files' content, too */
  changedLayers(
    content: boolean,
  ): { readonly layer: RootLayer; readonly batches: AsyncGenerator<readonly TreeRecord[]> }[] {
    const { record } = this.#source();
    const plan = planStart(record.id, record, this.#parts);
    if (plan.root.inMemory) throw OrlopError.of("changes_in_memory", { name: record.name });
    return layersOf(plan.root).map((layer) => ({ layer, batches: this.#changed(layer, plan, content) }));
  }

  async *#changed(layer: RootLayer, plan: StartPlan, content: boolean): AsyncGenerator<readonly TreeRecord[]> {
    await this.#parts.executor.run(plan.root.prepare); // one that never ran has no upper directory yet
    const stream = new TreeStream(await this.#parts.executor.connectTask());
    const filter = new ChangeFilter({ mountPoints: layer.place === "" ? ownPlaces : new Set() });
    const steps = planComparison(layer, `${this.#parts.places.runDir}/below`, content);
    for await (const records of this.#told(stream.read(steps))) yield records.flatMap((record) => filter.take(record));
  }

  #open(asked: AskedPath, access: Access): Promise<OpenRoot> {
    return openRoot(this.#parts, this.#source(), asked, access);
  }

  async *#told<T>(batches: AsyncIterable<T>): AsyncGenerator<T> {
    try {
      yield* batches;
    } catch (error) {
      throw explained(error, this.#source().record, "");
    }
  }
}

/** Where every start puts a mount; the engine makes them where an image lacks them. */
const ownPlaces: ReadonlySet<string> = new Set(["proc", "sys", "dev", "etc/hosts", "etc/hostname", "etc/resolv.conf"]);

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
