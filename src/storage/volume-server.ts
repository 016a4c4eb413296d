/**
 * The server of a volume that is a network file system: its options may name it, and the kernel takes an address alone (other
 * than mount(8), whose helpers ask for it). Asked at each mount: the address may be another one by then.
 */

import { OrlopError } from "../base/errors.ts";
import { parseAddress } from "../base/ip-address.ts";
import type { VolumeOptions } from "./local-volume.ts";

/** The address of a name. Rejects when nobody knows it. */
export type LookUp = (name: string) => Promise<string>;

const networkTypes = ["nfs", "nfs4", "cifs", "smb3"];

/** The options as the kernel takes them. @throws {OrlopError} volume_server_unknown */
export async function withServerAddress(options: VolumeOptions, lookUp: LookUp): Promise<VolumeOptions> {
  const { type = "", device = "", o = "" } = options;
  if (!networkTypes.includes(type)) return options;
  const words = o.split(",").filter((word) => word !== "");
  const at = words.findIndex((word) => word.startsWith("addr="));
  // An SMB share has its server in its name too; of an NFS export Docker asks for the option.
  const name = at >= 0 ? (words[at] ?? "").slice("addr=".length) : type.startsWith("nfs") ? "" : serverOf(device);
  if (name === "") return options;
  const address = parseAddress(name) === undefined ? await lookUpServer(name, lookUp) : name;
  words.splice(at >= 0 ? at : words.length, 1, `addr=${address}`);
  return { ...options, o: words.join(",") };
}

/** Of "//server/share". */
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

/** What is said of a failed mount without what was confided to it. */
export function withoutPasswords(text: string): string {
  return text.replaceAll(/\b(password2?|pass)=[^,\s]*/g, "$1=********");
}
