/** The registry that `login` and `logout` name: a host, or an address as Docker's older versions had it. */
import { parseReference } from "../spec/reference.ts";

/** The host as references write it; docker.io when none is named. @throws {OrlopError} bad_reference */
export function hostOfServer(server: string | undefined): string {
  const host = (server ?? "docker.io").replace(/^https?:\/\//, "").split("/", 1)[0] ?? "";
  const { host: known } = parseReference(`${host}/x/y`);
  // "localhost" and hosts with a dot or a port are hosts; a single word is one here, too
  return known === "docker.io" && host !== "docker.io" && host !== "index.docker.io" ? host : known;
}
