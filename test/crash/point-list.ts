/** Every step point there is: the executor's own list, and those in the engine's sources. */

import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const sources = join(import.meta.dir, "../../src");

export function executorPoints(executor: string): string[] {
  const text = execFileSync(executor, ["points"], { encoding: "utf8" });
  return [...new Set(text.split("\n").filter(Boolean))].sort();
}

export function enginePoints(): string[] {
  const files = readdirSync(sources, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));
  const names = files.flatMap((file) =>
    [...readFileSync(join(sources, file), "utf8").matchAll(/\bpoint\("([^"]+)"\)/g)].map((match) => match[1] ?? ""),
  );
  return [...new Set(names)].sort();
}
