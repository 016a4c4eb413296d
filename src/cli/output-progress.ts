/** How much of a container's output has been passed on, so that a replay from its beginning adds no byte twice. */

type OutputName = "stdout" | "stderr";

export class OutputProgress {
  readonly #passed: Record<OutputName, number>;
  readonly #toSkip: Record<OutputName, number>;

  /** @param passed  what another process has passed on; the stream begins again behind it */
  constructor(passed: Readonly<Record<OutputName, number>> = { stdout: 0, stderr: 0 }) {
    this.#passed = { ...passed };
    this.#toSkip = { ...passed };
  }

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
