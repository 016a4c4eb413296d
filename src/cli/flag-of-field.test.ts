/** Refused fields under the names of their flags. */

import { expect, test } from "bun:test";
import { EngineError } from "../client/engine-error.ts";
import { withFlagName } from "./flag-of-field.ts";

test.each([
  ['invalid HostConfig.NanoCpus "1": expected 0.01', 'invalid --cpus (HostConfig.NanoCpus) "1": expected 0.01'],
  ['invalid WorkingDir "a": expected $&', 'invalid --workdir (WorkingDir) "a": expected $&'],
  ['invalid HostConfig.Nothing "1": x', 'invalid HostConfig.Nothing "1": x'],
  ["CPUs from 0.01: HostConfig.NanoCpus is 1", "CPUs from 0.01: --cpus (HostConfig.NanoCpus) is 1"],
  ["Minimum is 6MB: Memory is 1 bytes", "Minimum is 6MB: --memory (Memory) is 1 bytes"],
  ["cannot remove: container is running: stop it", "cannot remove: container is running: stop it"],
  ["No such container: a", "No such container: a"],
])("%s", (message, shown) => {
  const error = withFlagName(new EngineError(400, message)) as EngineError;
  expect([error.status, error.message]).toEqual([400, shown]);
});

test("what is not the engine's stays as it is", () => {
  const error = new Error('invalid User "x"');
  expect(withFlagName(error)).toBe(error);
});
