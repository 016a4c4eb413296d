/** Connects to a unix socket whose path may be longer than `sun_path`. */

import { closeSync, constants, openSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { basename, dirname } from "node:path";
import { OrlopError } from "../base/errors.ts";

/** Bytes of `sun_path`, less its NUL. */
const SUN_PATH_MAX = 107;

/**
 * A connected socket that stays half-open when the other side ends.
 *
 * @throws {OrlopError} executor_lost
 */
export function connectUnix(path: string): Promise<Socket> {
  return withShortPath(path, connectShort);
}

/** Calls `connect` with a path of the socket that is short enough: through the directory's descriptor if need be. */
export async function withShortPath<T>(path: string, connect: (path: string) => Promise<T>): Promise<T> {
  if (Buffer.byteLength(path) <= SUN_PATH_MAX) return connect(path);
  const directory = openSync(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    return await connect(`/proc/self/fd/${directory}/${basename(path)}`);
  } finally {
    closeSync(directory);
  }
}

function connectShort(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path, allowHalfOpen: true });
    const fail = (error: Error): void => {
      socket.destroy();
      reject(OrlopError.of("executor_lost", { reason: error.message }, error));
    };
    socket.once("error", fail);
    socket.once("connect", () => {
      socket.off("error", fail);
      resolve(socket);
    });
  });
}
