/** Unpacks one layer: decompresses its blob, verifies the tar's digest, and streams the steps to the executor. */
import { createHash } from "node:crypto";
import { OrlopError } from "../base/errors.ts";
import { type PlanStream, StreamedStepFailure } from "../kernel/plan-stream.ts";
import { type Digest, digestOfHex } from "../spec/digest.ts";
import { TarReader } from "../spec/tar-reader.ts";
import { decompress } from "./decompress.ts";
import { type LayerLimits, LayerPlanner } from "./plan-layer.ts";

export interface UnpackOptions {
  /** The blob, compressed or not; its own digest is verified already. */
  readonly source: AsyncIterable<Uint8Array>;
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
  const { source, diffId, directory, plan, limits, sync, onProgress, signal } = options;
  const planner = new LayerPlanner((step) => plan.add(step), limits);
  const reader = new TarReader(planner);
  const hash = createHash("sha256");
  const tarMax = limits.bytesMax + limits.entriesMax * overheadPerEntryBytes;
  let sizeBytes = 0;
  planner.begin(directory);
  for await (const piece of decompress(source)) {
    signal?.throwIfAborted();
    sizeBytes += piece.length;
    if (sizeBytes > tarMax)
      throw OrlopError.of("layer_refused", { entry: "the archive", reason: `over ${tarMax} bytes` });
    hash.update(piece);
    reader.write(piece);
    onProgress?.();
    await plan.flush();
  }
  reader.end();
  const actual = digestOfHex(hash.digest("hex"));
  if (actual !== diffId)
    throw OrlopError.of("digest_mismatch", { what: "the unpacked layer", expected: diffId, actual });
  planner.end(sync);
  await plan.end();
  const { contentBytes, hidesEtc, implied } = planner;
  return { contentBytes, hidesEtc, implied };
}
