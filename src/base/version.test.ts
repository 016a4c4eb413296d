/** The version is written in two places. */
import { expect, test } from "bun:test";
import manifest from "../../package.json";
import { version } from "./version.ts";

test("the program and its package have the same version", () => {
  expect(version).toBe(manifest.version);
});
