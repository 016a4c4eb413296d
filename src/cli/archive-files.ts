/** Archives on the command line: standard input and output, and files. */

import { createReadStream } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { OrlopError } from "../base/errors.ts";
import type { Caller } from "./caller.ts";
import { reasonOf } from "./file-failure.ts";

/** Writes to a file, which gets its name only when it is complete, or to standard output, unless that is a terminal. */
export async function writeArchive(
  archive: AsyncIterable<Uint8Array>,
  file: string | undefined,
  { stdout }: Caller,
): Promise<void> {
  if (file === undefined || file === "-") {
    for await (const piece of archive) await stdout.write(piece);
    return;
  }
  const temporary = `${file}.new-${process.pid}`;
  try {
    await using handle = await open(temporary, "wx", 0o600).catch((error: Error) => {
      throw OrlopError.of("file_unwritable", { what: "the archive", path: file, reason: error.message }, error);
    });
    for await (const piece of archive) await handle.writeFile(piece);
    await rename(temporary, file);
  } finally {
    await rm(temporary, { force: true });
  }
}

/** To be called before any request. @throws {OrlopError} terminal_output */
export async function refuseTerminal(file: string | undefined, caller: Caller): Promise<void> {
  if (file !== undefined && file !== "-") return;
  if ((await caller.terminal()).isTerminal(1)) throw OrlopError.of("terminal_output", { flag: "-o" });
}

/** A file's bytes, or with "-" (or nothing) standard input's. */
export async function* readArchive(file: string | undefined, caller: Caller): AsyncGenerator<Uint8Array, void> {
  if (file === undefined || file === "-") {
    for await (const piece of caller.stdin()) yield piece;
    return;
  }
  try {
    for await (const piece of createReadStream(file, { highWaterMark: 256 * 1024 })) yield piece as Uint8Array;
  } catch (error) {
    throw OrlopError.of("file_unreadable", { what: "the archive", path: file, reason: reasonOf(error) }, error);
  }
}
