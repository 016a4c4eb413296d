/** Of the engine, its executor, and what the machine does not have. */

import { row } from "./row.ts";

export const engineErrors = {
  engine_unreachable: row<{ host: string; reason: string }>(
    "unavailable",
    (p) => `cannot connect to the engine at ${p.host}: ${p.reason}`,
    () => "see: orlop doctor",
  ),
  engine_broke_off: row<{ reason: string }>(
    "unavailable",
    (p) => `the engine broke off: ${p.reason}`,
    () => "try again; it starts again by itself",
  ),
  remote_failure: row<{ reason: string }>("unavailable", (p) => p.reason),
  records_unusable: row<{ path: string; reason: string }>(
    "unavailable",
    (p) => `the records in ${p.path} cannot be used: ${p.reason}`,
    (p) => (p.reason.startsWith("no space") ? "make room on that file system" : "see: orlop doctor"),
  ),
  not_explained: row<{ what: string }>(
    "unsupported",
    (p) => `${p.what} cannot be explained`,
    () =>
      "its steps come out of what it meets on the way, or it has none: run, create, exec, cp, commit, stop and network create can be",
  ),
  executor_lost: row<{ reason: string }>("unavailable", (p) => `the executor ended the conversation: ${p.reason}`),
  resolver_refused: row<{ owner: string; errno: string }>(
    "internal",
    (p) => `names for ${p.owner} cannot be answered: ${p.errno}`,
    () => "its network namespace may be gone: start the container again",
  ),
  step_failed: row<{ step: string; errno: string; why: string }>(
    "internal",
    (p) => `${p.step}: ${p.errno}`,
    (p) => `this step was there because: ${p.why}`,
  ),
  internal: row<{ reason: string }>("internal", (p) => p.reason),
  limit_unsupported: row<{ limit: string; needs: string }>(
    "unsupported",
    (p) => `${p.limit} needs ${p.needs}, which this machine does not have`,
    () => "leave the limit out, or see: orlop doctor",
  ),

  unknown_capability: row<{ name: string }>(
    "invalid",
    (p) => `unknown capability: ${JSON.stringify(p.name)}`,
    () => "names are in capabilities(7), with or without CAP_; ALL means all of them",
  ),
  capability_missing: row<{ name: string }>(
    "unsupported",
    (p) => `root on this machine does not have ${p.name}, so no container can get it`,
    () => "leave it out, or start Orlop where /proc/self/status has it in CapBnd",
  ),
  capability_unsupported: row<{ name: string }>(
    "unsupported",
    (p) => `capability ${p.name} is newer than this kernel`,
    () => "leave it out: nothing here would check it",
  ),
} as const;
