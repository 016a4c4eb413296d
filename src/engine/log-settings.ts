/** Docker's LogConfig as what the monitor needs. By default logs rotate, 3 files of 10 MB: they never fill a disk. */

import { OrlopError } from "../base/errors.ts";
import { parseSize } from "../base/size.ts";
import type { HostConfig } from "../spec/engine-api-host-config.ts";

export type LogDriver = "json-file" | "local" | "none";

export interface LogSettings {
  readonly driver: LogDriver;
  /** 0: without limit. */
  readonly maxSizeBytes: number;
  readonly maxFiles: number;
  /** Lines are dropped and counted rather than the program held up, when the disk is slow. */
  readonly dropWhenSlow: boolean;
}

const DEFAULT_SIZE_BYTES = 10_000_000;
const DEFAULT_FILES = 3;

/** @throws {OrlopError} bad_value */
export function logSettingsOf({ Type, Config }: HostConfig["LogConfig"]): LogSettings {
  const driver = Type === "" ? "json-file" : Type;
  const known = driver === "none" ? [] : ["max-size", "max-file", "mode"];
  const unknown = Object.keys(Config).find((key) => !known.includes(key));
  if (unknown !== undefined)
    throw OrlopError.of("bad_value", {
      what: "log option",
      value: unknown,
      expected: driver === "none" ? "no options" : known.join(", "),
    });
  const { "max-size": size, "max-file": files, mode = "blocking" } = Config;
  if (mode !== "blocking" && mode !== "non-blocking")
    throw OrlopError.of("bad_value", { what: "log option mode", value: mode, expected: "blocking or non-blocking" });
  if (files !== undefined && !/^[1-9]\d{0,3}$/.test(files))
    throw OrlopError.of("bad_value", { what: "log option max-file", value: files, expected: "1 to 9999" });
  return {
    driver,
    maxSizeBytes: size === undefined ? DEFAULT_SIZE_BYTES : size === "-1" ? 0 : parseSize(size, "log option max-size"),
    maxFiles: files === undefined ? DEFAULT_FILES : Number(files),
    dropWhenSlow: mode === "non-blocking",
  };
}
