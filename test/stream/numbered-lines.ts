/** Output whose every byte is known: numbered lines, checked as they come, in any pieces. */

const width = 64;

/** What prints `count` of them: printf of awk, which every root has through busybox. */
export function printingScript(count: number): string {
  return `awk 'BEGIN { for (i = 0; i < ${count}; i++) printf "%0${width - 1}d\\n", i }'`;
}

export const lineBytes = width;

/** Takes bytes in pieces of any size; throws at the first one that is not what it should be. */
export class NumberedLines {
  #bytes = 0;
  #rest = "";

  get bytes(): number {
    return this.#bytes;
  }

  take(piece: Uint8Array): void {
    const text = this.#rest + Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength).toString("latin1");
    const whole = text.length - (text.length % width);
    const first = (this.#bytes - this.#rest.length) / width;
    for (let at = 0; at < whole; at += width) {
      const expected = `${String(first + at / width).padStart(width - 1, "0")}\n`;
      const line = text.slice(at, at + width);
      if (line !== expected)
        throw new Error(
          `byte ${this.#bytes - this.#rest.length + at}: ${JSON.stringify(line)}, not ${JSON.stringify(expected)}`,
        );
    }
    this.#bytes += piece.byteLength;
    this.#rest = text.slice(whole);
  }
}
