/**
 * The server of a volume on a network file system. Its options may have a name, but the kernel accepts only an address (mount(8)'s
 * helpers resolve names). Resolved at each mount, because the address may change.
 */

import { OrlopError } from "../base/errors.ts";
import { parseAddress } from "../base/ip-address.ts";
import type { VolumeOptions } from "./local-volume.ts";

/** Resolves a name to an address; rejects when it is unknown. */
export type LookUp = (name: string) => Promise<string>;

const networkTypes = ["nfs", "nfs4", "cifs", "smb3"];

/** The options in the kernel's form. @throws {OrlopError} volume_server_unknown */
export async function withServerAddress(options: VolumeOptions, lookUp: LookUp): Promise<VolumeOptions> {
  const { type = "", device = "", o = "" } = options;
  if (!networkTypes.includes(type)) return options;
  const words = o.split(",").filter((word) => word !== "");
  const at = words.findIndex((word) => word.startsWith("addr="));
  // An SMB share's name contains the server; for an NFS export Docker requires the option.
  const name = at >= 0 ? (words[at] ?? "").slice("addr=".length) : type.startsWith("nfs") ? "" : serverOf(device);
  if (name === "") return options;
  const address = parseAddress(name) === undefined ? await lookUpServer(name, lookUp) : name;
  words.splice(at >= 0 ? at : words.length, 1, `addr=${address}`);
  return { ...options, o: words.join(",") };
}

/** The server of "//server/share". */
function serverOf(device: string): string {
  return /^\/\/([^/]+)\//.exec(device)?.[1] ?? "";
}

async function lookUpServer(name: string, lookUp: LookUp): Promise<string> {
  try {
    return await lookUp(name);
  } catch (error) {
    throw OrlopError.of("volume_server_unknown", { server: name, reason: (error as Error).message }, error);
  }
}

/** The error of a failed mount, without passwords in its options. */
export function withoutPasswords(text: string): string {
  return text.replaceAll(/\b(password2?|pass)=[^,\s]*/g, "$1=********");
}
