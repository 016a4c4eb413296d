/** Sizes in bytes, as people write them: `512m`, `1.5g`, `64k`, `4096`. */
import { OrlopError } from "./errors.ts";

const powers = { "": 0, k: 1, m: 2, g: 3, t: 4, p: 5 } as const;

/**
 * The bytes that a size means. Units are powers of 1024 whatever their spelling (`m`, `mb`, `MiB`), as Docker reads
 * `--memory` and `--shm-size`.
 *
 * @param what  names the value in the error, e.g. "--memory"
 * @throws {OrlopError} bad_value
 */
export function parseSize(text: string, what: string): number {
  const match = /^(\d+(?:\.\d+)?) ?([kmgtp]?)i?b?$/i.exec(text);
  const unit = match?.[2]?.toLowerCase() as keyof typeof powers | undefined;
  const sizeBytes =
    match === null || unit === undefined ? Number.NaN : Math.trunc(Number(match[1]) * 1024 ** powers[unit]);
  if (!Number.isSafeInteger(sizeBytes))
    throw OrlopError.of("bad_value", {
      what,
      value: text,
      expected: "bytes with an optional unit b, k, m, g or t, e.g. 512m",
    });
  return sizeBytes;
}

const binaryUnits = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** A size for people, in powers of 1024 and four digits, as Docker prints memory: `1.941GiB`. */
export function formatBinarySize(sizeBytes: number): string {
  return format(sizeBytes, 1024, 4, binaryUnits);
}

const units = ["B", "kB", "MB", "GB", "TB", "PB"];

/** A size for people, in powers of 1000 and three digits, as Docker prints them: `1.23GB`. */
export function formatSize(sizeBytes: number): string {
  return format(sizeBytes, 1000, 3, units);
}

function format(sizeBytes: number, base: number, digits: number, names: readonly string[]): string {
  let value = sizeBytes;
  let unit = 0;
  while (value >= base && unit < names.length - 1) {
    value /= base;
    unit++;
  }
  return `${Number(value.toPrecision(digits))}${names[unit]}`;
}
