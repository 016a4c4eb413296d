/** Platforms of images: `OS/ARCHITECTURE[/VARIANT]`, and which of those on offer suits best (OCI image-index.md; Go's names). */
import { OrlopError } from "../base/errors.ts";

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  /** Of the processor, e.g. "v7" for arm. */
  readonly variant?: string;
}

/** Other names for the same thing, as `uname -m` and older tools have them. */
const synonyms: Readonly<Record<string, readonly [architecture: string, variant?: string]>> = {
  x86_64: ["amd64"],
  "x86-64": ["amd64"],
  i386: ["386"],
  i686: ["386"],
  aarch64: ["arm64"],
  armhf: ["arm", "v7"],
  armel: ["arm", "v6"],
};

/** The platform that this machine's programs are made for. arch: as node's process.arch has it. */
export function hostPlatform(arch: string = process.arch): Platform {
  return { os: "linux", architecture: arch === "x64" ? "amd64" : arch };
}

/** What `--platform` means: "linux/arm64/v8", "linux/amd64", or an architecture alone. @throws {OrlopError} bad_value */
export function parsePlatform(text: string): Platform {
  const parts = text.toLowerCase().split("/");
  const valid = parts.length <= 3 && parts.every((part) => /^[a-z0-9][a-z0-9_.-]{0,63}$/.test(part));
  if (!valid)
    throw OrlopError.of("bad_value", { what: "platform", value: text, expected: "OS/ARCHITECTURE[/VARIANT]" });
  const [first = "", second, third] = parts;
  if (second === undefined && first === "linux") return hostPlatform();
  return normalized(second === undefined ? "linux" : first, second ?? first, third);
}

function normalized(os: string, architecture: string, variant: string | undefined): Platform {
  const known = Object.hasOwn(synonyms, architecture) ? synonyms[architecture] : undefined;
  const [name, implied] = known ?? [architecture];
  const chosen = variant ?? implied;
  // arm64 has one variant, and leaving it out means that one; so does v7 for arm
  const silent = name === "arm64" && (chosen === "v8" || chosen === "8");
  return { os, architecture: name, ...(chosen === undefined || chosen === "" || silent ? {} : { variant: chosen }) };
}

export function formatPlatform({ os, architecture, variant }: Platform): string {
  return `${os}/${architecture}${variant === undefined ? "" : `/${variant}`}`;
}

/**
 * How well `offered` runs where `wanted` is asked for: 0 is exact, more is worse, undefined is not at all. 32-bit arm runs
 * older variants; amd64 runs lower micro-architecture levels.
 */
export function platformDistance(offered: Platform, wanted: Platform): number | undefined {
  const a = normalized(offered.os, offered.architecture, offered.variant);
  const b = normalized(wanted.os, wanted.architecture, wanted.variant);
  if (a.os !== b.os || a.architecture !== b.architecture) return undefined;
  if (a.variant === b.variant) return 0;
  const levels = { arm: 7, amd64: 1 }[a.architecture];
  if (levels === undefined) return undefined;
  const distance = levelOf(b, levels) - levelOf(a, levels);
  return distance >= 0 ? distance : undefined;
}

function levelOf({ variant }: Platform, standard: number): number {
  return variant === undefined ? standard : Number(/^v?(\d)$/.exec(variant)?.[1] ?? Number.NaN);
}
