/** Log options. */

import { expect, test } from "bun:test";
import { logSettingsOf } from "./log-settings.ts";

test.each([
  ["", {}, { driver: "json-file", maxSizeBytes: 10_000_000, maxFiles: 3, dropWhenSlow: false }],
  [
    "local",
    { "max-size": "1m", "max-file": "5" },
    { driver: "local", maxSizeBytes: 1_048_576, maxFiles: 5, dropWhenSlow: false },
  ],
  [
    "json-file",
    { "max-size": "-1", mode: "non-blocking" },
    { driver: "json-file", maxSizeBytes: 0, maxFiles: 3, dropWhenSlow: true },
  ],
  ["none", {}, { driver: "none", maxSizeBytes: 10_000_000, maxFiles: 3, dropWhenSlow: false }],
] as const)("%s %j", (Type, Config, expected) => {
  expect(logSettingsOf({ Type, Config })).toEqual(expected);
});

test.each([
  ["json-file", { compress: "true" }, 'invalid log option "compress"'],
  ["none", { "max-size": "1m" }, 'invalid log option "max-size": expected no options'],
  ["local", { "max-file": "0" }, 'invalid log option max-file "0"'],
  ["local", { "max-size": "big" }, 'invalid log option max-size "big"'],
  ["local", { mode: "fast" }, 'invalid log option mode "fast"'],
] as const)("%s %j is refused", (Type, Config, message) => {
  expect(() => logSettingsOf({ Type, Config: Config as unknown as Record<string, string> })).toThrow(message);
});
