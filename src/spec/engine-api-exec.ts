/** The bodies of an exec's create and start, every field carried out or refused by name. */

import { absolutePath, variable } from "./engine-api-container.ts";
import { consoleSize } from "./engine-api-host-config.ts";
import { field, list, shape, text, truth, words, wrong } from "./engine-api-read.ts";

const createBody = shape({
  AttachStdin: field(truth, false),
  AttachStdout: field(truth, false),
  AttachStderr: field(truth, false),
  ConsoleSize: field(consoleSize, [0, 0] as readonly [number, number]),
  DetachKeys: field(text, ""),
  Tty: field(truth, false),
  Env: field(list(variable), []),
  Cmd: field(words, []),
  Privileged: field(truth, false),
  User: field(text, ""),
  WorkingDir: field(absolutePath, ""),
  /** What old clients send: `start` says whether anybody attaches. */
  Detach: field(truth, false),
});

const startBody = shape({
  Detach: field(truth, false),
  Tty: field(truth, false),
  ConsoleSize: field(consoleSize, undefined as readonly [number, number] | undefined),
  /** Of dockerode, for its own use: it sends its options along as they are. How a connection is used its headers say. */
  hijack: field(truth, false),
  stdin: field(truth, false),
});

export type ExecCreateBody = ReturnType<typeof createBody>;
export type ExecStartBody = ReturnType<typeof startBody>;

/** @throws {OrlopError} unknown_field, bad_value: both name the field */
export function parseExecCreate(value: unknown): ExecCreateBody {
  const body = createBody(value, "");
  if (body.Cmd.length === 0) throw wrong("Cmd", body.Cmd, "a command");
  return body;
}

/** @throws {OrlopError} unknown_field, bad_value */
export function parseExecStart(value: unknown): ExecStartBody {
  return startBody(value, "");
}
