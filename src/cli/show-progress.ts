/** Progress on a terminal: one line for each part, drawn again as it changes; elsewhere one line for each change of state. */

import { formatSize } from "../base/size.ts";
import type { ProgressMessage } from "../client/image-types.ts";
import type { Output } from "./output.ts";
import { printable, printableLine } from "./printable.ts";

/** Drawn at most so often. */
const everyMs = 50;
const barWidth = 30;

/**
 * Shows messages until they end.
 *
 * @param columns the terminal's width; undefined: no terminal
 */
export async function showProgress(
  messages: AsyncIterable<ProgressMessage>,
  output: Output,
  columns: number | undefined,
): Promise<void> {
  const show = columns === undefined ? new PlainProgress(output) : new DrawnProgress(output, columns);
  try {
    for await (const message of messages) await show.take(message);
  } finally {
    await show.end();
  }
}

function textOf({ id, status = "", stream }: ProgressMessage): string {
  if (stream !== undefined) return printable(stream.trimEnd());
  return printableLine(id === undefined ? status : `${id}: ${status}`);
}

class PlainProgress {
  readonly #output: Output;
  readonly #states = new Map<string, string>();

  constructor(output: Output) {
    this.#output = output;
  }

  async take(message: ProgressMessage): Promise<void> {
    const { id, status, progressDetail } = message;
    // of what is counted only beginnings and ends are told, and those have messages of their own
    if (progressDetail?.total !== undefined || (status === undefined && message.stream === undefined)) return;
    if (id !== undefined && this.#states.get(id) === status) return;
    if (id !== undefined && status !== undefined) this.#states.set(id, status);
    await this.#output.write(`${textOf(message)}\n`);
  }

  async end(): Promise<void> {
    // every line is out
  }
}

class DrawnProgress {
  readonly #output: Output;
  readonly #columns: number;
  readonly #parts = new Map<string, string>();
  #drawn = 0;
  #drawnMs = 0;

  constructor(output: Output, columns: number) {
    this.#output = output;
    this.#columns = columns;
  }

  async take(message: ProgressMessage): Promise<void> {
    const { id, status } = message;
    if (id !== undefined && (message.progressDetail !== undefined || this.#parts.has(id))) {
      this.#parts.set(id, `${textOf(message)}${barOf(message)}`.slice(0, this.#columns - 1));
      if (performance.now() - this.#drawnMs >= everyMs) await this.#draw();
    } else if (status !== undefined || message.stream !== undefined) {
      await this.#finish();
      await this.#output.write(`${textOf(message)}\n`);
    }
  }

  end(): Promise<void> {
    return this.#finish();
  }

  /** The lines stay as they are, and new ones begin below. */
  async #finish(): Promise<void> {
    await this.#draw();
    this.#parts.clear();
    this.#drawn = 0;
  }

  async #draw(): Promise<void> {
    this.#drawnMs = performance.now();
    const up = this.#drawn === 0 ? "" : `\x1b[${this.#drawn}A`;
    const lines = [...this.#parts.values()].map((line) => `\r\x1b[K${line}\n`);
    this.#drawn = lines.length;
    if (lines.length > 0) await this.#output.write(up + lines.join(""));
  }
}

function barOf({ progressDetail }: ProgressMessage): string {
  const { current, total } = progressDetail ?? {};
  if (current === undefined || total === undefined || total <= 0) return "";
  const filled = Math.min(barWidth, Math.floor((current / total) * barWidth));
  const bar = "=".repeat(filled).padEnd(barWidth);
  return ` [${bar}] ${formatSize(current)}/${formatSize(total)}`;
}
