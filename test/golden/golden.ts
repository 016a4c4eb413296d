/** Golden files: a plan beside the code, compared step by step. `UPDATE_GOLDEN=1 bun test test/golden` writes them anew. */

import { expect } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Step } from "../../src/kernel/step.ts";

/** Compares a plan with test/golden/NAME.json, one step per line, so that a difference reads as a difference of steps. */
export function expectGolden(name: string, steps: readonly Step[]): void {
  const path = join(import.meta.dir, `${name}.json`);
  const text = `[\n${steps.map((step) => `  ${JSON.stringify(step, shown)}`).join(",\n")}\n]\n`;
  if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(path, text);
  const kept = existsSync(path) ? readFileSync(path, "utf8") : "";
  expect(text.split("\n")).toEqual(kept.split("\n"));
}

/** Short text stays readable, messages are told apart by a hash. Compiled programs have tests of their own. */
function shown(key: string, value: unknown): unknown {
  if (key === "program") return "(compiled)";
  if (typeof value === "bigint") return `0x${value.toString(16)}`;
  if (!(value instanceof Uint8Array)) return value;
  const text = new TextDecoder().decode(value);
  if (/^[\x20-\x7e\n\t]*$/.test(text)) return text;
  return `${value.length} bytes, sha256 ${new Bun.CryptoHasher("sha256").update(value).digest("hex").slice(0, 16)}`;
}
