/** The progress of a push as Docker's messages. */

import type { PushStep } from "../engine/images/push-images.ts";
import { shortId } from "../engine/images/short-id.ts";
import type { Digest } from "../spec/digest.ts";
import type { ProgressMessage } from "./progress-reply.ts";

/** The least time between two progress messages about one layer. */
const everyMs = 100;

export class PushMessages {
  readonly #send: (message: ProgressMessage) => void;
  readonly #layers = new Set<Digest>();
  readonly #lastMs = new Map<Digest, number>();

  constructor(send: (message: ProgressMessage) => void) {
    this.#send = send;
  }

  take(step: PushStep): void {
    if (step.kind === "begun") {
      for (const { digest } of step.layers) this.#layers.add(digest);
      for (const digest of this.#layers) this.#say(digest, "Preparing");
    } else if (step.kind === "alone") {
      const aux = { manifestPushedInsteadOfIndex: true, originalIndex: step.index, selectedManifest: step.manifest };
      this.#send({ progressDetail: {}, aux });
    } else if (step.kind === "pushed") {
      const { tag, digest, sizeBytes } = step;
      this.#send({ status: `${tag}: digest: ${digest} size: ${sizeBytes}` });
      this.#send({ progressDetail: {}, aux: { Tag: tag, Digest: digest, Size: sizeBytes } });
    } else if (this.#layers.has(step.blob.digest)) {
      this.#layer(step);
    }
  }

  #layer(step: Extract<PushStep, { kind: "uploading" | "uploaded" }>): void {
    const { digest, size } = step.blob;
    if (step.kind === "uploading") {
      const nowMs = performance.now();
      if (step.doneBytes < size && nowMs - (this.#lastMs.get(digest) ?? Number.NEGATIVE_INFINITY) < everyMs) return;
      this.#lastMs.set(digest, nowMs);
      this.#send({
        status: "Pushing",
        progressDetail: { current: step.doneBytes, total: size },
        id: shortId(digest),
      });
    } else if (step.outcome === "was-there") this.#say(digest, "Layer already exists");
    else if (step.outcome === "mounted") this.#say(digest, `Mounted from ${step.mountedFrom ?? "another repository"}`);
    else this.#say(digest, "Pushed");
  }

  #say(digest: Digest, status: string): void {
    this.#send({ status, progressDetail: {}, id: shortId(digest) });
  }
}
