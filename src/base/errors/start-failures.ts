/** How Docker begins the message of a container or an exec that did not start. */
export const startFailures = {
  container: "failed to create task for container: unable to start container process",
  exec: "OCI runtime exec failed: exec failed: unable to start container process",
} as const;

/** What failed to start. */
export type Started = keyof typeof startFailures;
