/** What the system's errors say about a connection that could not be made. */

/** A system error's name ("ENOENT"), or "". */
export function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}

/** Whether there is no socket, or one that was left behind. */
export function nobodyListens(error: unknown): boolean {
  return ["ENOENT", "ECONNREFUSED"].includes(codeOf(error));
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "nobody listens there (no such socket)",
  ECONNREFUSED: "nobody listens there (connection refused)",
  EACCES: "permission denied (the socket is root's: use sudo, or be in the socket's group)",
};

/** Why connecting failed, in words. */
export function connectFailure(error: unknown): string {
  return reasons[codeOf(error)] ?? (error instanceof Error ? error.message : String(error));
}
