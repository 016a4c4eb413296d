/** The thread that unpacks layers: decompressing, hashing and reading tar would hold up the engine's streams. */
import { createReadStream } from "node:fs";
import { OrlopError } from "../base/errors.ts";
import { connectUnix } from "../kernel/connect-unix.ts";
import { PlanStream } from "../kernel/plan-stream.ts";
import { unpackLayer } from "./unpack-layer.ts";
import type { UnpackOrder, UnpackReport } from "./unpack-message.ts";

declare const self: Worker;

const readBytes = 256 * 1024;
/** Between two reports of progress. */
const reportBytes = 4 << 20;

let abort = new AbortController();

self.onmessage = ({ data }: MessageEvent<UnpackOrder>) => {
  if (data.kind === "abort") {
    abort.abort();
    return;
  }
  abort = new AbortController();
  unpack(data, abort.signal).then(report, (error) => {
    const code = error instanceof OrlopError ? { code: error.code } : {};
    report({ kind: "failed", ...code, message: String((error as Error).message ?? error) });
  });
};

function report(message: UnpackReport): void {
  self.postMessage(message);
}

async function unpack(order: UnpackOrder & { kind: "unpack" }, signal: AbortSignal): Promise<UnpackReport> {
  const source = createReadStream(order.blob, { highWaterMark: readBytes });
  const closed = new Promise((resolve) => source.once("close", resolve));
  let reported = 0;
  try {
    const layer = await unpackLayer({
      source,
      diffId: order.diffId,
      directory: order.directory,
      plan: new PlanStream(await connectUnix(order.controlSocket)),
      limits: order.limits,
      sync: true,
      signal,
      onProgress: () => {
        const doneBytes = source.bytesRead;
        if (doneBytes - reported < reportBytes) return;
        reported = doneBytes;
        report({ kind: "progress", doneBytes });
      },
    });
    return { kind: "unpacked", layer };
  } finally {
    // before the report: a thread that is ended behind it would leave the file open, and a removed blob's space taken
    source.destroy();
    await closed;
  }
}
