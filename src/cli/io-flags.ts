/** `--device-read-bps /dev/sda:1mb` and its like: a device, and a number. */
import { OrlopError } from "../base/errors.ts";
import { parseSize } from "../base/size.ts";

export function parseDeviceBytes(text: string, flag: string): { readonly Path: string; readonly Rate: number } {
  const [Path, amount] = split(text, flag, "DEVICE:BYTES, e.g. /dev/sda:1mb");
  return { Path, Rate: parseSize(amount, flag) };
}

export function parseDeviceCount(text: string, flag: string): { readonly Path: string; readonly Rate: number } {
  const [Path, amount] = split(text, flag, "DEVICE:NUMBER, e.g. /dev/sda:1000");
  return { Path, Rate: wholeOf(amount, text, flag) };
}

export function parseDeviceWeight(text: string, flag: string): { readonly Path: string; readonly Weight: number } {
  const [Path, amount] = split(text, flag, "DEVICE:WEIGHT, e.g. /dev/sda:300");
  return { Path, Weight: wholeOf(amount, text, flag) };
}

/** At the last colon: a device's name may have one. */
function split(text: string, flag: string, expected: string): [device: string, amount: string] {
  const match = /^(\/.*):([^:]+)$/.exec(text);
  if (match === null) throw OrlopError.of("bad_value", { what: flag, value: text, expected });
  return [match[1] as string, match[2] as string];
}

function wholeOf(amount: string, text: string, flag: string): number {
  if (!/^\d{1,12}$/.test(amount))
    throw OrlopError.of("bad_value", { what: flag, value: text, expected: "a whole number behind the device" });
  return Number(amount);
}
