/** Cells that lists have in common, as Docker's CLI writes them. Pure. */

/** `.Labels`, all of them, and `.Label "KEY"`. */
export function labelCells(labels: Readonly<Record<string, string>>) {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  return {
    Labels: pairs.join(","),
    Label: (key: string) => (Object.hasOwn(labels, key) ? (labels[key] ?? "") : ""),
  };
}

/** @param text RFC 3339, of UTC. @returns e.g. "2026-01-31 12:00:00.25 +0000 UTC" */
export function formatTimestamp(text: string): string {
  return `${text
    .replace("T", " ")
    .replace(/(\.\d*?)0*Z$/, "$1")
    .replace(/[.Z]$/, "")} +0000 UTC`;
}

/** @param seconds since 1970. @returns e.g. "2026-01-31 12:00:00 +0000 UTC" */
export function formatTime(seconds: number): string {
  return `${new Date(seconds * 1000).toISOString().slice(0, 19).replace("T", " ")} +0000 UTC`;
}
