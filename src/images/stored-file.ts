/** Size and hash of files in the content store. */

import { createHash, type Hash } from "node:crypto";
import { type FileHandle, stat } from "node:fs/promises";

const readPieceBytes = 1 << 20;

/** Hashes a file from its start; one that is longer than the limit is emptied. The file position is not changed. */
export async function hashFile(file: FileHandle, limitBytes: number): Promise<{ hash: Hash; size: number }> {
  const hash = createHash("sha256");
  const buffer = Buffer.allocUnsafe(readPieceBytes);
  let size = 0;
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, size);
    if (bytesRead === 0) return { hash, size };
    hash.update(buffer.subarray(0, bytesRead));
    size += bytesRead;
    if (size <= limitBytes) continue;
    await file.truncate(0);
    return { hash: createHash("sha256"), size: 0 };
  }
}

/** undefined when there is no file at this path. */
export async function sizeOf(path: string): Promise<number | undefined> {
  try {
    const found = await stat(path);
    return found.isFile() ? found.size : undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
