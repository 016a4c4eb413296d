/** Back-pressure on a node:stream. */

import type { EventEmitter } from "node:events";

/** Resolves when a stream whose `write` returned false takes more, or is closed. */
export function drained(stream: EventEmitter): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      stream.off("drain", settle).off("close", settle);
      resolve();
    };
    stream.on("drain", settle).on("close", settle);
  });
}
