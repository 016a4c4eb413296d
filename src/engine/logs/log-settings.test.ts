/** Log options. */

import { expect, test } from "bun:test";
import { logSettingsOf } from "./log-settings.ts";

const MiB = 1024 * 1024;

test.each([
  ["", {}, { driver: "json-file", maxSizeBytes: 10_000_000, maxFiles: 3, dropWhenSlow: false, bufferBytes: MiB }],
  [
    "local",
    { "max-size": "1m", "max-file": "5" },
    { driver: "local", maxSizeBytes: 1_048_576, maxFiles: 5, dropWhenSlow: false, bufferBytes: MiB },
  ],
  [
    "json-file",
    { "max-size": "-1", mode: "non-blocking", "max-buffer-size": "4m", compress: "false" },
    { driver: "json-file", maxSizeBytes: 0, maxFiles: 3, dropWhenSlow: true, bufferBytes: 4 * MiB },
  ],
  ["none", {}, { driver: "none", maxSizeBytes: 10_000_000, maxFiles: 3, dropWhenSlow: false, bufferBytes: MiB }],
] as const)("%s %j", (Type, Config, expected) => {
  expect(logSettingsOf({ Type, Config })).toEqual(expected);
});

test.each([
  ["json-file", { compress: "true" }, 'invalid log option compress "true"'],
  ["json-file", { "max-buffer-size": "4m" }, "mode=non-blocking with it"],
  ["json-file", { mode: "non-blocking", "max-buffer-size": "4k" }, "1m to 1g"],
  ["local", { labels: "a" }, 'invalid log option "labels"'],
  ["json-file", { "syslog-address": "x" }, 'invalid log option "syslog-address"'],
  ["none", { "max-size": "1m" }, 'invalid log option "max-size": expected no options'],
  ["local", { "max-file": "0" }, 'invalid log option max-file "0"'],
  ["local", { "max-size": "big" }, 'invalid log option max-size "big"'],
  ["local", { mode: "fast" }, 'invalid log option mode "fast"'],
] as const)("%s %j is refused", (Type, Config, message) => {
  expect(() => logSettingsOf({ Type, Config: Config as unknown as Record<string, string> })).toThrow(message);
});
