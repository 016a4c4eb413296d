/** The executor's own table of steps, as `orlop-executor steps` prints it, to check that it matches ours. */

import { spawnSync } from "node:child_process";

export interface ExecutorSteps {
  /** "name signature", one a line; undefined where the program did not run. */
  readonly table: string | undefined;
  /** Why not. */
  readonly said: string;
}

/** @param executable  the program, e.g. dist/orlop-executor */
export function readExecutorSteps(executable: string): ExecutorSteps {
  const run = spawnSync(executable, ["steps"], { encoding: "utf8", env: {} });
  return { table: run.status === 0 ? run.stdout : undefined, said: run.error?.message ?? run.stderr.trim() };
}
