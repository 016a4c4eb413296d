/** Unpacks one layer: decompresses its blob, verifies the tar's digest, and streams the steps to the executor. */
import { createHash } from "node:crypto";
import { OrlopError } from "../base/errors.ts";
import { type PlanStream, StreamedStepFailure } from "../kernel/plan-stream.ts";
import type { Step } from "../kernel/step.ts";
import { type Digest, digestOfHex } from "../spec/digest.ts";
import { TarReader } from "../spec/tar-reader.ts";
import { detectCompression, magicBytes } from "./decompress.ts";
import { openInflater } from "./inflater.ts";
import type { LayerSource } from "./layer-source.ts";
import { type LayerLimits, LayerPlanner } from "./plan-layer.ts";
import { SharedPieces } from "./shared-pieces.ts";

export interface UnpackOptions {
  /** The blob, compressed or not. Whether its own digest is right is the caller's business, before the layer is used. */
  readonly source: LayerSource;
  /** Of the tar inside. */
  readonly diffId: Digest;
  /** An empty directory, which nobody uses before this has settled. */
  readonly directory: string;
  readonly plan: PlanStream;
  readonly limits: LayerLimits;
  /** Everything of the file system on disk before this settles. */
  readonly sync: boolean;
  /** A piece of the tar was taken. */
  readonly onProgress?: () => void;
  readonly signal?: AbortSignal;
}

export interface UnpackedLayer {
  /** Of all files together. */
  readonly contentBytes: number;
  /** See LayerPlanner. */
  readonly hidesEtc: boolean;
  /** Directories that the archive does not describe: their metadata is the lower layers'. */
  readonly implied: readonly string[];
}

/** Of a tar, for each byte of limit that its files have: headers, and names of 4 KiB. */
const overheadPerEntryBytes = 16 * 1024;
/** Of the blob, at a time. */
const inputBytes = 64 * 1024;
/** Of the tar: a millisecond or two of work. */
const betweenYields = 512 * 1024;
/** A piece of content that is a step of its own; in a plan without shared memory it would be sent in it. */
const partMax = 512 * 1024;

/**
 * Settles when the layer is whole and verified. When it throws, the directory holds something that must not be used.
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
  await eachPiece(options, pieces, (piece) => {
    hash.update(piece);
    reader.write(piece);
  });
  reader.end();
  const actual = digestOfHex(hash.digest("hex"));
  if (actual !== diffId)
    throw OrlopError.of("digest_mismatch", { what: "the unpacked layer", expected: diffId, actual });
  planner.end(sync);
  await plan.end();
  const { contentBytes, hidesEtc, implied } = planner;
  return { contentBytes, hidesEtc, implied };
}

/** The tar's pieces, one after the other in memory that the executor sees too. */
async function eachPiece(
  { source, plan, limits, onProgress, signal }: UnpackOptions,
  pieces: SharedPieces,
  take: (piece: Uint8Array) => void,
): Promise<void> {
  const tarMax = limits.bytesMax + limits.entriesMax * overheadPerEntryBytes;
  const buffer = Buffer.allocUnsafe(inputBytes);
  let input = await beginning(source, buffer);
  using inflater = openInflater(detectCompression(input));
  let sizeBytes = 0;
  for (let lastYield = 0, isOver = input.length === 0; !isOver; ) {
    const room = pieces.room;
    const { taken, made } = inflater.inflate(input, room);
    sizeBytes += made;
    if (sizeBytes > tarMax)
      throw OrlopError.of("layer_refused", { entry: "the archive", reason: `over ${tarMax} bytes` });
    if (made > 0) {
      take(room.subarray(0, made));
      await pieces.fill(made);
    }
    input = input.subarray(taken);
    // with room left, everything that the input gives has come out
    if (input.length === 0 && made < room.length) {
      input = buffer.subarray(0, await source.read(buffer));
      isOver = input.length === 0;
    }
    if (sizeBytes - lastYield < betweenYields) continue;
    lastYield = sizeBytes;
    onProgress?.();
    await plan.flush();
    await new Promise<void>((resolve) => setImmediate(resolve)); // other layers' turn, and that of whoever wants us to stop
    signal?.throwIfAborted();
  }
  inflater.end();
}

/** Enough to see what it is, however little comes at a time. */
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
