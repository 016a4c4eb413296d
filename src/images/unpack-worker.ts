/** The thread that unpacks layers: decompressing, hashing and reading tar would hold up the engine's streams. */
import { OrlopError } from "../base/errors.ts";
import { connectUnix } from "../kernel/connect-unix.ts";
import { PlanStream } from "../kernel/plan-stream.ts";
import { GrowingFile } from "./layer-source.ts";
import { unpackLayer } from "./unpack-layer.ts";
import type { UnpackOrder, UnpackReport } from "./unpack-message.ts";

declare const self: Worker;

/** Between two reports of progress. */
const reportBytes = 4 << 20;

interface Job {
  readonly blob: GrowingFile;
  readonly abort: AbortController;
}

const jobs = new Map<number, Job>();

self.onmessage = ({ data }: MessageEvent<UnpackOrder>) => {
  if (data.kind === "unpack") void run(data);
  else if (data.kind === "more") jobs.get(data.job)?.blob.grow(data.availableBytes);
  else stop(data.job);
};

function report(message: UnpackReport): void {
  self.postMessage(message);
}

function stop(job: number): void {
  const { blob, abort } = jobs.get(job) ?? {};
  abort?.abort();
  blob?.stop(abort?.signal.reason);
}

async function run(order: UnpackOrder & { kind: "unpack" }): Promise<void> {
  const { job } = order;
  try {
    report(await unpack(order));
  } catch (error) {
    const code = error instanceof OrlopError ? { code: error.code } : {};
    report({ kind: "failed", job, ...code, message: String((error as Error).message ?? error) });
  } finally {
    jobs.delete(job);
  }
}

async function unpack(order: UnpackOrder & { kind: "unpack" }): Promise<UnpackReport> {
  const { job, diffId, directory, limits } = order;
  using blob = new GrowingFile(order.paths, order.sizeBytes, order.availableBytes);
  const abort = new AbortController();
  jobs.set(job, { blob, abort });
  let reported = 0;
  const layer = await unpackLayer({
    source: blob,
    diffId,
    directory,
    plan: new PlanStream(await connectUnix(order.controlSocket)),
    limits,
    sync: true,
    signal: abort.signal,
    onProgress: () => {
      const doneBytes = blob.bytesRead;
      if (doneBytes - reported < reportBytes) return;
      reported = doneBytes;
      report({ kind: "progress", job, doneBytes });
    },
  });
  return { kind: "unpacked", job, layer };
}
