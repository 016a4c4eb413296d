/** Has the supervisor start netd unless it runs, and watch for its end. */

import { join } from "node:path";
import { OrlopError } from "../base/errors.ts";
import { connectUnix } from "./connect-unix.ts";
import { errnoName } from "./executor.ts";
import { encodeBare, encodeHello, FrameDecoder } from "./frame.ts";

/** Settles when netd.sock takes connections. @throws {OrlopError} executor_lost */
export async function startNetd(runDirectory: string): Promise<void> {
  const socket = await connectUnix(join(runDirectory, "supervisor.sock"));
  const decoder = new FrameDecoder();
  try {
    await new Promise<void>((resolve, reject) => {
      socket.on("data", (chunk: Uint8Array) => {
        for (const answer of decoder.push(chunk)) {
          if (answer.kind === "DONE") resolve();
          else if (answer.kind === "FAILED") reject(lost(`netd does not start: ${errnoName(answer.errno)}`));
        }
      });
      socket.on("error", (error) => reject(lost(error.message)));
      socket.on("end", () => reject(lost("the supervisor closed the connection")));
      socket.write(Buffer.concat([encodeHello(), encodeBare("NETD")]));
    });
  } finally {
    socket.destroy();
  }
}

export function lost(reason: string): OrlopError {
  return OrlopError.of("executor_lost", { reason });
}
