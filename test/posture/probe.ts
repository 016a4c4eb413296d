/** Programs that look around in a container. */

import { execFileSync } from "node:child_process";
import { join } from "node:path";

/** Compiles NAME.c of this folder to `directory/NAME`, static: it runs in any root. */
export function compileProbe(name: string, directory: string): void {
  const source = join(import.meta.dir, `${name}.c`);
  execFileSync("gcc", ["-static", "-O1", "-Wall", "-Werror", "-o", join(directory, name), source]);
}
