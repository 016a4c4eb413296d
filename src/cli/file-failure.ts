/** What the system's errors about a file mean. */

/** Why a file cannot be read. */
export function reasonOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const words: Record<string, string> = {
    ENOENT: "no such file",
    EACCES: "permission denied",
    EISDIR: "it is a directory",
  };
  return words[code] ?? (error instanceof Error ? error.message : String(error));
}
