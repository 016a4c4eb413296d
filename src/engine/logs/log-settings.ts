/** Docker's LogConfig as settings of the monitor. By default logs rotate (3 files of 10 MB), so that they do not fill the disk. */

import { OrlopError } from "../../base/errors.ts";
import { parseSize } from "../../base/size.ts";
import type { HostConfig } from "../../spec/engine-api-host-config.ts";

export type LogDriver = "json-file" | "local" | "none";

export interface LogSettings {
  readonly driver: LogDriver;
  /** 0: without limit. */
  readonly maxSizeBytes: number;
  readonly maxFiles: number;
  /** When the disk is slow, lines are dropped and counted instead of blocking the program. */
  readonly dropWhenSlow: boolean;
  /** The size of the buffer for that. */
  readonly bufferBytes: number;
}

const DEFAULT_SIZE_BYTES = 10_000_000;
const DEFAULT_FILES = 3;
/** The buffer must hold a batch of records. */
const LEAST_BUFFER_BYTES = 1024 * 1024;
const MOST_BUFFER_BYTES = 1024 * 1024 * 1024;

const common = ["max-size", "max-file", "mode", "max-buffer-size", "compress"];
/** The options of each driver. Those that only json-file has are in `log-attributes.ts`. */
const options: Readonly<Record<LogDriver, readonly string[]>> = {
  "json-file": [...common, "labels", "labels-regex", "env", "env-regex", "tag"],
  local: common,
  none: [],
};

/** @throws {OrlopError} bad_value */
export function logSettingsOf({ Type, Config }: HostConfig["LogConfig"]): LogSettings {
  const driver = Type === "" ? "json-file" : Type;
  const known = options[driver];
  const unknown = Object.keys(Config).find((key) => !known.includes(key));
  if (unknown !== undefined) throw wrong("", unknown, known.length === 0 ? "no options" : known.join(", "));
  const { "max-size": size, "max-file": files, mode = "blocking", compress = "false" } = Config;
  if (mode !== "blocking" && mode !== "non-blocking") throw wrong(" mode", mode, "blocking or non-blocking");
  if (files !== undefined && !/^[1-9]\d{0,3}$/.test(files)) throw wrong(" max-file", files, "1 to 9999");
  // Compression would need more disk space than rotation frees, and CPU time of the container.
  if (compress !== "false") throw wrong(" compress", compress, "false: rotated files are never compressed");
  return {
    driver,
    maxSizeBytes: size === undefined ? DEFAULT_SIZE_BYTES : size === "-1" ? 0 : parseSize(size, "log option max-size"),
    maxFiles: files === undefined ? DEFAULT_FILES : Number(files),
    dropWhenSlow: mode === "non-blocking",
    bufferBytes: bufferOf(Config["max-buffer-size"], mode === "non-blocking"),
  };
}

function bufferOf(size: string | undefined, isNonBlocking: boolean): number {
  if (size === undefined) return LEAST_BUFFER_BYTES;
  if (!isNonBlocking) throw wrong(" max-buffer-size", size, "mode=non-blocking with it");
  const sizeBytes = parseSize(size, "log option max-buffer-size");
  if (sizeBytes < LEAST_BUFFER_BYTES || sizeBytes > MOST_BUFFER_BYTES)
    throw wrong(" max-buffer-size", size, "1m to 1g");
  return sizeBytes;
}

function wrong(option: string, value: string, expected: string): OrlopError {
  return OrlopError.of("bad_value", { what: `log option${option}`, value, expected });
}
