/** What the engine's thread and an unpacking thread say to each other. A thread has several layers under way. */
import type { ErrorCode } from "../base/errors.ts";
import type { Digest } from "../spec/digest.ts";
import type { LayerLimits } from "./plan-layer.ts";
import type { UnpackedLayer } from "./unpack-layer.ts";

/** To the unpacking thread. job: which of its layers. */
export type UnpackOrder =
  | {
      readonly kind: "unpack";
      readonly job: number;
      /** The layer in the content store: where it may be while it comes, and where it is at last. */
      readonly paths: readonly string[];
      readonly sizeBytes: number;
      /** So much of it is there. */
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

/** From it. After "unpacked" or "failed" the job is over. */
export type UnpackReport =
  /** Bytes of the blob that were read. */
  | { readonly kind: "progress"; readonly job: number; readonly doneBytes: number }
  | { readonly kind: "unpacked"; readonly job: number; readonly layer: UnpackedLayer }
  | { readonly kind: "failed"; readonly job: number; readonly code?: ErrorCode; readonly message: string };
