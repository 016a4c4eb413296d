/** Ends the supervisor and with it the engine. native/README.md has the protocol; these are its two frames that a client needs. */
import { join } from "node:path";
import { OrlopError } from "../base/errors.ts";
import type { ByteStream, Connect } from "./byte-stream.ts";
import { connectFailure, nobodyListens } from "./system-error.ts";

const protocolVersion = 1;
const hello = 1;
const stop = 14;

/** Asks it to stop and waits until it has ended. false: none runs. */
export async function stopSupervisor(runDir: string, connect: Connect): Promise<boolean> {
  const path = join(runDir, "supervisor.sock");
  const stream = await connect({ kind: "unix", path }).catch((error: unknown) => {
    if (nobodyListens(error)) return undefined;
    throw OrlopError.of("engine_unreachable", { host: `unix://${path}`, reason: connectFailure(error) }, error);
  });
  if (stream === undefined) return false;
  await stream.write(stopFrames());
  await untilEnd(stream);
  return true;
}

/** HELLO and STOP: `u32` length of what follows, `u8` kind, payload. */
function stopFrames(): Uint8Array {
  const view = new DataView(new ArrayBuffer(14));
  view.setUint32(0, 5, true);
  view.setUint8(4, hello);
  view.setUint32(5, protocolVersion, true);
  view.setUint32(9, 1, true);
  view.setUint8(13, stop);
  return new Uint8Array(view.buffer);
}

/** The connection ends when the supervisor does; a reset says the same. */
async function untilEnd(stream: ByteStream): Promise<void> {
  try {
    while ((await stream.read()) !== undefined);
  } catch (error) {
    if (!(error instanceof Error && "code" in error)) throw error;
  } finally {
    stream.close();
  }
}
