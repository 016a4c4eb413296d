/** Maps a file into memory, shared with whoever else maps it. Elsewhere: no counterpart in node:. */

export function mapFile(path: string): Uint8Array {
  return Bun.mmap(path, { shared: true });
}
