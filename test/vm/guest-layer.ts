/** A layer made without GNU tar: the guest has busybox alone, and its layers must be the same at every boot. */

import { byteStringOfText, plainEntry } from "../../src/spec/tar-entry.ts";
import { encodeTarHeader, tarEnd, tarPadding } from "../../src/spec/tar-writer.ts";
import type { Files } from "../power/check-state.ts";

export function guestLayer(files: Files): Buffer {
  const parts = Object.entries(files).flatMap(([path, content]) => [
    encodeTarHeader({ ...plainEntry, path: byteStringOfText(path), mode: 0o644, size: content.length }),
    content,
    tarPadding(content.length),
  ]);
  return Buffer.concat([...parts, tarEnd]);
}
