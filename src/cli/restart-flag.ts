/** `--restart`. */
import { OrlopError } from "../base/errors.ts";

/** "on-failure:3", "always". Which names there are is the engine's to say. @throws {OrlopError} bad_value */
export function parseRestartPolicy(text: string): { readonly Name: string; readonly MaximumRetryCount: number } {
  const [, name, retries] = /^([a-z-]*)(?::(\d{1,9}))?$/.exec(text) ?? [];
  if (name === undefined)
    throw OrlopError.of("bad_value", {
      what: "--restart",
      value: text,
      expected: "no, always, unless-stopped or on-failure[:RETRIES]",
    });
  return { Name: name, MaximumRetryCount: Number(retries ?? 0) };
}
