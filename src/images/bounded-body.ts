/** Reads a response's body, with limits on its size and on how slowly it may arrive. */
import { ConnectionFault } from "./registry-transport.ts";

/** Bytes per window: a body that gives less has stalled. At 1 byte/s a layer would take years. */
const crawlBytes = 16 * 1024;

/** The body went past its limit. */
export class BodyTooLarge extends Error {}

/**
 * The body's pieces, as they arrive.
 *
 * @param stallMs  the window in which at least 16 KiB (or the body's end) must come
 * @throws {ConnectionFault} it was cut, or has stalled
 */
export async function* readPieces(response: Response, stallMs: number): AsyncGenerator<Uint8Array> {
  if (response.body === null) return;
  const reader = response.body.getReader();
  let recent = 0;
  let stalled = false;
  const watch = setInterval(() => {
    if (recent < crawlBytes) {
      stalled = true;
      reader.cancel().catch(() => undefined); // the read below fails or ends, and says why
    }
    recent = 0;
  }, stallMs);
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (stalled) throw new ConnectionFault(new Error(`under ${crawlBytes} bytes in ${stallMs / 1000} s`));
      if (done) return;
      recent += value.length;
      yield value;
    }
  } catch (error) {
    throw error instanceof ConnectionFault ? error : new ConnectionFault(error);
  } finally {
    clearInterval(watch);
    reader.cancel().catch(() => undefined); // closes a connection that nobody reads; one that ended has nothing to close
  }
}

/** The whole of a small body. @throws {BodyTooLarge, ConnectionFault} */
export async function readWhole(response: Response, limitBytes: number, stallMs: number): Promise<Uint8Array> {
  const announced = Number(response.headers.get("content-length") ?? 0);
  if (announced > limitBytes) {
    await response.body?.cancel();
    throw new BodyTooLarge(`over ${limitBytes} bytes`);
  }
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of readPieces(response, stallMs)) {
    size += piece.length;
    if (size > limitBytes) throw new BodyTooLarge(`over ${limitBytes} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces, size);
}
