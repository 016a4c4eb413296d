/** The progress of a pull as Docker's messages: one JSON object per line. */

import type { Pulled, PullStep } from "../engine/images/pull-images.ts";
import { shortId } from "../engine/images/short-id.ts";
import type { Digest } from "../spec/digest.ts";
import { familiarName, familiarReference, type Reference } from "../spec/reference.ts";
import type { ProgressMessage } from "./progress-reply.ts";

/** The least time between two progress messages about one layer. */
const everyMs = 100;

export class PullMessages {
  readonly #reference: Reference;
  readonly #send: (message: ProgressMessage) => void;
  readonly #lastMs = new Map<string, number>();
  readonly #finished = new Set<string>();

  constructor(reference: Reference, send: (message: ProgressMessage) => void) {
    this.#reference = reference;
    this.#send = send;
  }

  take(step: PullStep): void {
    if (step.kind === "resolved") {
      const { repository, tag, digest } = this.#reference;
      this.#send({ status: `Pulling from ${repository}`, id: digest ?? tag ?? "latest" });
      for (const digest of new Set(step.layers.map((layer) => layer.digest))) this.#say(digest, "Pulling fs layer");
      return;
    }
    const { digest, size } = step.layer;
    // A layer that an image has twice is reported once.
    if (this.#finished.has(digest)) return;
    if (step.kind === "downloading") this.#progress("Downloading", digest, step.doneBytes, size);
    else if (step.kind === "extracting") this.#progress("Extracting", digest, step.doneBytes, size);
    else if (step.kind === "downloaded") this.#say(digest, "Download complete");
    else {
      this.#finished.add(digest);
      this.#say(digest, step.wasHere ? "Already exists" : "Pull complete");
    }
  }

  end({ digest, isUpToDate }: Pulled): void {
    const name = familiarReference(this.#reference);
    this.#send({ status: `Digest: ${digest}` });
    this.#send({ status: `Status: ${isUpToDate ? "Image is up to date" : "Downloaded newer image"} for ${name}` });
  }

  #say(digest: Digest, status: string): void {
    this.#send({ status, progressDetail: {}, id: shortId(digest) });
  }

  #progress(status: string, digest: Digest, current: number, total: number): void {
    const key = `${status} ${digest}`;
    const nowMs = performance.now();
    if (current < total && nowMs - (this.#lastMs.get(key) ?? Number.NEGATIVE_INFINITY) < everyMs) return;
    this.#lastMs.set(key, nowMs);
    this.#send({ status, progressDetail: { current, total }, id: shortId(digest) });
  }
}

/** The last message of a pull of all tags. */
export function allTagsEnd(reference: Reference, anyNew: boolean): ProgressMessage {
  const what = anyNew ? "Downloaded newer image" : "Image is up to date";
  return { status: `Status: ${what} for ${familiarName(reference)}` };
}
