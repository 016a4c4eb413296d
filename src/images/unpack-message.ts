/** Messages between the engine's thread and an unpacking thread, which works on several layers at a time. */
import type { ErrorCode } from "../base/errors.ts";
import type { Digest } from "../spec/digest.ts";
import type { LayerLimits } from "./plan-layer.ts";
import type { UnpackedLayer } from "./unpack-layer.ts";

/** To the unpacking thread. job: identifies one of its layers. */
export type UnpackOrder =
  | {
      readonly kind: "unpack";
      readonly job: number;
      /** The blob in the content store: its path while it arrives, and its final path. */
      readonly paths: readonly string[];
      readonly sizeBytes: number;
      /** How many bytes of it are there. */
      readonly availableBytes: number;
      readonly diffId: Digest;
      /** See UnpackOptions. */
      readonly isBlobHashed: boolean;
      readonly directory: string;
      /** The supervisor's control.sock. */
      readonly controlSocket: string;
      readonly limits: LayerLimits;
    }
  | { readonly kind: "more"; readonly job: number; readonly availableBytes: number }
  | { readonly kind: "abort"; readonly job: number };

/** From the unpacking thread. After "unpacked" or "failed" the job is over. */
export type UnpackReport =
  /** Bytes of the blob that were read so far. */
  | { readonly kind: "progress"; readonly job: number; readonly doneBytes: number }
  | { readonly kind: "unpacked"; readonly job: number; readonly layer: UnpackedLayer }
  | { readonly kind: "failed"; readonly job: number; readonly code?: ErrorCode; readonly message: string };
