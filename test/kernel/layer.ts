/** Unpacks archives with the real executor, one process for each. */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync } from "node:fs";
import { Duplex } from "node:stream";
import type { LayerSource } from "../../src/images/layer-source.ts";
import { defaultLayerLimits, type LayerLimits } from "../../src/images/plan-layer.ts";
import { type UnpackedLayer, unpackLayer } from "../../src/images/unpack-layer.ts";
import { PlanStream } from "../../src/kernel/plan-stream.ts";
import { type Digest, digestOfHex } from "../../src/spec/digest.ts";
import { executorPath } from "./harness.ts";

/** A plan stream to a fresh executor. */
export function openPlan(): PlanStream {
  const { stdin, stdout } = spawn(executorPath, ["plan"], { stdio: ["pipe", "pipe", "inherit"] });
  return new PlanStream(Duplex.from({ writable: stdin, readable: stdout } as never));
}

export interface UnpackCase {
  readonly directory: string;
  /** Of the tar; the archive's own unless said otherwise. */
  readonly diffId?: Digest;
  readonly limits?: LayerLimits;
  readonly isBlobHashed?: boolean;
}

/** Unpacks a tar, or what a compressor made of `tar`. */
export function unpackArchive(tar: Uint8Array, options: UnpackCase, blob: Uint8Array = tar): Promise<UnpackedLayer> {
  mkdirSync(options.directory, { recursive: true });
  return unpackLayer({
    source: inPieces(blob),
    diffId: options.diffId ?? digestOfHex(createHash("sha256").update(tar).digest("hex")),
    directory: options.directory,
    plan: openPlan(),
    limits: options.limits ?? defaultLayerLimits,
    isBlobHashed: options.isBlobHashed ?? false,
    sync: false,
  });
}

function inPieces(bytes: Uint8Array): LayerSource {
  let at = 0;
  return {
    read(into) {
      const piece = bytes.subarray(at, at + Math.min(into.length, 100_000));
      into.set(piece);
      at += piece.length;
      return piece.length;
    },
  };
}
