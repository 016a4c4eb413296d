/** How much of a container's output has been passed on, so that a replay from its beginning adds no byte twice. */

type OutputName = "stdout" | "stderr";

export class OutputProgress {
  readonly #passed = { stdout: 0, stderr: 0 };
  readonly #toSkip = { stdout: 0, stderr: 0 };

  /** The stream begins again from the container's first byte. */
  replay(): void {
    Object.assign(this.#toSkip, this.#passed);
  }

  /** What is new of these bytes; counts it as passed on. */
  take(name: OutputName, bytes: Uint8Array): Uint8Array {
    const skipped = Math.min(this.#toSkip[name], bytes.length);
    this.#toSkip[name] -= skipped;
    this.#passed[name] += bytes.length - skipped;
    return bytes.subarray(skipped);
  }
}
