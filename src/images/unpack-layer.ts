/** Unpacks one layer: decompresses its blob, verifies the tar's digest, and streams the steps to the executor. */
import { createHash } from "node:crypto";
import { OrlopError } from "../base/errors.ts";
import { type PlanStream, StreamedStepFailure } from "../kernel/plan-stream.ts";
import type { Step } from "../kernel/step.ts";
import { type Digest, digestOfHex } from "../spec/digest.ts";
import { TarReader } from "../spec/tar-reader.ts";
import { detectCompression, magicBytes } from "./decompress.ts";
import { type Inflater, openInflater } from "./inflater.ts";
import type { LayerSource } from "./layer-source.ts";
import { type LayerLimits, LayerPlanner } from "./plan-layer.ts";
import { SharedPieces } from "./shared-pieces.ts";

export interface UnpackOptions {
  /** The blob, compressed or not. The caller verifies its digest before the layer is used. */
  readonly source: LayerSource;
  /** The digest of the tar inside. */
  readonly diffId: Digest;
  /** The blob's digest, which is verified elsewhere before the layer is used, so that an uncompressed blob is not hashed again. */
  readonly isBlobHashed?: boolean;
  /** An empty directory, which nobody else uses before this has settled. */
  readonly directory: string;
  readonly plan: PlanStream;
  readonly limits: LayerLimits;
  /** Sync the file system before this settles. */
  readonly sync: boolean;
  /** Called when a piece of the tar was taken. */
  readonly onProgress?: () => void;
  readonly signal?: AbortSignal;
}

export interface UnpackedLayer {
  /** Size of all files together. */
  readonly contentBytes: number;
  /** See LayerPlanner. */
  readonly hidesEtc: boolean;
  /** Directories without an entry of their own: they have the metadata of the lower layers. */
  readonly implied: readonly string[];
}

/** Of a tar, for each byte of limit that its files have: headers, and names of 4 KiB. */
const overheadPerEntryBytes = 16 * 1024;
/** Bytes of the blob that are read at a time: usually enough to fill a part of the shared memory. Each call of the inflater is a round trip to its thread. */
const inputBytes = 1 << 20;
/** A piece of content that is a step of its own; in a plan without shared memory it would be sent in it. */
const partMax = 512 * 1024;

/**
 * Settles when the layer is complete and verified. When it throws, the directory's content must not be used.
 *
 * @throws {OrlopError} bad_tar, layer_refused, layer_failed, digest_mismatch, bad_compression, executor_lost
 */
export async function unpackLayer(options: UnpackOptions): Promise<UnpackedLayer> {
  const { plan } = options;
  try {
    return await streamLayer(options);
  } catch (error) {
    await plan.abandon();
    if (error instanceof StreamedStepFailure)
      throw OrlopError.of("layer_failed", { errno: error.errno, detail: error.detail }, error);
    throw error;
  }
}

async function streamLayer(options: UnpackOptions): Promise<UnpackedLayer> {
  const { diffId, directory, plan, limits, sync } = options;
  const pieces = await SharedPieces.open(plan);
  const planner = new LayerPlanner((step) => plan.add(shared(step, pieces)), limits, partMax);
  const reader = new TarReader(planner);
  const hash = createHash("sha256");
  planner.begin(directory);
  await using tar = await TarBytes.open(options.source);
  const isHashed = tar.isPlain && options.isBlobHashed === true;
  await eachPiece(tar, options, pieces, (piece) => {
    if (!isHashed) hash.update(piece);
    reader.write(piece);
  });
  reader.end();
  const actual = isHashed ? diffId : digestOfHex(hash.digest("hex"));
  if (actual !== diffId)
    throw OrlopError.of("digest_mismatch", { what: "the unpacked layer", expected: diffId, actual });
  planner.end(sync);
  await plan.end();
  const { contentBytes, hidesEtc, implied } = planner;
  return { contentBytes, hidesEtc, implied };
}

/** The tar's pieces, in memory shared with the executor. The next piece is decompressed while one is processed. */
async function eachPiece(
  tar: TarBytes,
  { plan, limits, onProgress, signal }: UnpackOptions,
  pieces: SharedPieces,
  take: (piece: Uint8Array) => void,
): Promise<void> {
  const tarMax = limits.bytesMax + limits.entriesMax * overheadPerEntryBytes;
  const fill = async (): Promise<Filled> => {
    const room = await pieces.room();
    return { room, sizeBytes: await tar.fill(room) };
  };
  let sizeBytes = 0;
  for (let next = fill(), isOver = false; !isOver; ) {
    const piece = await next;
    isOver = piece.sizeBytes < piece.room.length;
    sizeBytes += piece.sizeBytes;
    if (sizeBytes > tarMax)
      throw OrlopError.of("layer_refused", { entry: "the archive", reason: `over ${tarMax} bytes` });
    if (!isOver) {
      next = fill();
      next.catch(() => undefined); // reported when it is awaited, which it is not if this piece is refused
    }
    take(piece.room.subarray(0, piece.sizeBytes));
    pieces.give(piece.room);
    onProgress?.();
    await plan.flush();
    await new Promise<void>((resolve) => setImmediate(resolve)); // let other layers, and an abort, have their turn
    signal?.throwIfAborted();
  }
  await tar.end();
}

interface Filled {
  readonly room: Uint8Array;
  /** Less than the room: it was the last. */
  readonly sizeBytes: number;
}

/** A blob that is decompressed on demand. */
class TarBytes implements AsyncDisposable {
  /** The blob is the tar. */
  readonly isPlain: boolean;
  readonly #source: LayerSource;
  readonly #buffer: Buffer;
  readonly #inflater: Inflater;
  #input: Buffer;
  /** The blob's end was read. */
  #isOver: boolean;

  private constructor(source: LayerSource, buffer: Buffer, input: Buffer) {
    this.#source = source;
    this.#buffer = buffer;
    this.#input = input;
    this.#isOver = input.length === 0;
    const method = detectCompression(input);
    this.isPlain = method === "none";
    this.#inflater = openInflater(method);
  }

  static async open(source: LayerSource): Promise<TarBytes> {
    const buffer = Buffer.allocUnsafe(inputBytes);
    return new TarBytes(source, buffer, await beginning(source, buffer));
  }

  /** Returns the bytes that were filled; fewer than there is room for only at the end. */
  async fill(room: Uint8Array): Promise<number> {
    let filled = 0;
    while (filled < room.length && !this.#isOver) {
      const { taken, made } = await this.#inflater.inflate(this.#input, room.subarray(filled));
      filled += made;
      this.#input = this.#input.subarray(taken);
      // room is left: the input gives nothing more
      if (this.#input.length > 0 || filled === room.length) continue;
      this.#input = this.#buffer.subarray(0, await this.#source.read(this.#buffer));
      this.#isOver = this.#input.length === 0;
    }
    return filled;
  }

  /** @throws {OrlopError} bad_compression when the data is truncated */
  end(): Promise<void> {
    return this.#inflater.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#inflater[Symbol.asyncDispose]();
  }
}

/** Reads until there are enough bytes to detect the compression. */
async function beginning(source: LayerSource, buffer: Buffer): Promise<Buffer> {
  let size = 0;
  while (size < magicBytes) {
    const more = await source.read(buffer.subarray(size));
    if (more === 0) break;
    size += more;
  }
  return buffer.subarray(0, size);
}

function shared(step: Step, pieces: SharedPieces): Step {
  if (step.op !== "layer-data") return step;
  return pieces.stepFor(step.data, Number(step.offset), step.why) ?? step;
}
