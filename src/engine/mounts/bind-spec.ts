/** One entry of HostConfig.Binds, "SOURCE:TARGET[:MODE]", and its mode. Docker's grammar (volume/mounts/linux_parser.go) and words. */

import { OrlopError } from "../../base/errors.ts";
import type { AskedMount } from "./mount-point.ts";
import { cleanTarget } from "./mount-target.ts";

const kinds = {
  access: ["ro", "rw"],
  propagation: ["private", "rprivate", "slave", "rslave", "shared", "rshared"],
  // SELinux labels, which Orlop does not set.
  label: ["z", "Z"],
  copy: ["nocopy"],
  // A hint for Docker Desktop, without effect on Linux.
  consistency: ["cached", "delegated", "consistent", "default"],
} as const;

type Kind = keyof typeof kinds;

interface Mode {
  readonly readonly: boolean;
  readonly propagation: string;
  readonly nocopy: boolean;
}

/** Parses a mode: at most one word of each kind. @throws {OrlopError} bad_mode */
export function parseMode(text: string): Mode {
  const found: Partial<Record<Kind, string>> = {};
  for (const word of text === "" ? [] : text.split(",")) {
    const kind = (Object.keys(kinds) as Kind[]).find((one) => (kinds[one] as readonly string[]).includes(word));
    if (kind === undefined || found[kind] !== undefined) throw OrlopError.of("bad_mode", { mode: text });
    found[kind] = word;
  }
  return {
    readonly: found.access === "ro",
    propagation: found.propagation ?? "",
    nocopy: found.copy !== undefined,
  };
}

/** @param driver HostConfig.VolumeDriver, for a volume that is to be created. @throws {OrlopError} bad_bind, bad_mode */
export function parseBind(text: string, driver: string): AskedMount {
  const [first = "", second, mode = "", ...rest] = text.split(":");
  if (first === "" || rest.length > 0 || second === "") throw OrlopError.of("bad_bind", { text, reason: "" });
  const { readonly, propagation, nocopy } = parseMode(mode);
  const source = second === undefined ? "" : first;
  const isBind = source.startsWith("/");
  const refuse = (reason: string): OrlopError =>
    OrlopError.of("bad_bind", {
      text,
      reason: `invalid mount config for type "${isBind ? "bind" : "volume"}": ${reason}`,
    });
  const place = { destination: cleanTarget(second ?? first, refuse), readonly, mode };
  if (isBind) {
    if (nocopy) throw refuse("field VolumeOptions must not be specified");
    return {
      ...place,
      type: "bind",
      source: source.length > 1 ? source.replace(/\/+$/, "") || "/" : source,
      propagation: propagation || "rprivate",
      recursive: true,
      readonlyBelow: true,
      missingSource: "make",
    };
  }
  if (propagation !== "") throw refuse("field BindOptions must not be specified");
  return {
    ...place,
    type: "volume",
    mode: mode || "z", // Docker's default for a local volume
    name: source,
    anonymous: source === "",
    copyUp: !nocopy,
    subpath: "",
    making: { driver, options: null, labels: null },
  };
}
