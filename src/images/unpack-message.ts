/** What the engine's thread and an unpacking thread say to each other. */
import type { ErrorCode } from "../base/errors.ts";
import type { Digest } from "../spec/digest.ts";
import type { LayerLimits } from "./plan-layer.ts";
import type { UnpackedLayer } from "./unpack-layer.ts";

/** To the unpacking thread. It does one layer at a time. */
export type UnpackOrder =
  | {
      readonly kind: "unpack";
      /** The layer, verified, in the content store. */
      readonly blob: string;
      readonly diffId: Digest;
      readonly directory: string;
      /** The supervisor's control.sock. */
      readonly controlSocket: string;
      readonly limits: LayerLimits;
    }
  | { readonly kind: "abort" };

/** From it. After "unpacked" or "failed" it is free again. */
export type UnpackReport =
  /** Bytes of the blob that were read. */
  | { readonly kind: "progress"; readonly doneBytes: number }
  | { readonly kind: "unpacked"; readonly layer: UnpackedLayer }
  | { readonly kind: "failed"; readonly code?: ErrorCode; readonly message: string };
