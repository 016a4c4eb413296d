/** What a path in a container names, as the archive operations tell it in a header. */
import { OrlopError } from "../base/errors.ts";
import type { Answer } from "./answer.ts";

export interface PathStatus {
  readonly name: string;
  readonly isDirectory: boolean;
  readonly isLink: boolean;
  /** Of a link: where it leads to in the end. */
  readonly target: string;
}

export function readPathStatus({ headers }: Answer): PathStatus {
  const header = headers.get("x-docker-container-path-stat") ?? "";
  try {
    const { name, mode, linkTarget } = JSON.parse(Buffer.from(header, "base64").toString()) as Readonly<
      Record<string, never>
    >;
    // bits of Go's os.FileMode
    const bit = (position: number): boolean => Math.floor(Number(mode) / 2 ** position) % 2 === 1;
    return { name: String(name), isDirectory: bit(31), isLink: bit(27), target: String(linkTarget ?? "") };
  } catch (error) {
    throw OrlopError.of("engine_broke_off", { reason: "its answer does not say what the path names" }, error);
  }
}
