/** Routes of execs: create, start, resize, inspect. */

import type { Duplex } from "node:stream";
import { OrlopError } from "../base/errors.ts";
import { parseDetachKeys } from "../engine/containers/detach-keys.ts";
import type { Exec } from "../engine/execs/exec.ts";
import { ExecClient } from "../engine/execs/exec-client.ts";
import { explainSteps } from "../engine/explain.ts";
import { encodeAttachFrame } from "../spec/attach-frame.ts";
import { parseExecCreate, parseExecStart } from "../spec/engine-api-exec.ts";
import { whole } from "./query.ts";
import { json } from "./reply.ts";
import { route } from "./route.ts";
import { streamType } from "./stream-type.ts";
import { has } from "./versions.ts";

export const execRoutes = [
  route({
    method: "POST",
    path: "/containers/:id/exec",
    operation: "ContainerExec",
    body: true,
    handle({ params, body, engine, apiMinor }) {
      const container = engine.containers.get(params.id);
      const request = parseExecCreate(body ?? {});
      const known = has(apiMinor, "consoleSize") ? request : { ...request, ConsoleSize: [0, 0] as const };
      return json({ Id: container.execs.create(known).id }, 201);
    },
    async explain({ params, body, engine }) {
      return explainSteps(engine.containers.get(params.id).execs.foresee(parseExecCreate(body ?? {})));
    },
  }),
  route({
    method: "POST",
    path: "/exec/:id/start",
    operation: "ExecStart",
    body: true,
    async handle({ params, body, engine, apiMinor }) {
      const { Detach, ConsoleSize, Tty } = parseExecStart(body ?? {});
      const exec = engine.containers.exec(params.id);
      exec.claim(has(apiMinor, "consoleSize") ? ConsoleSize : undefined);
      if (Detach) {
        await exec.start();
        return json({});
      }
      return {
        kind: "hijack",
        contentType: streamType(Tty, apiMinor),
        take: (client) => startAttached(exec, client, Tty),
      };
    },
  }),
  route({
    method: "POST",
    path: "/exec/:id/resize",
    operation: "ExecResize",
    query: { h: whole, w: whole },
    handle({ params, query, engine }) {
      engine.containers.exec(params.id).resize(query.h ?? 0, query.w ?? 0);
      return json({});
    },
  }),
  route({
    method: "GET",
    path: "/exec/:id/json",
    operation: "ExecInspect",
    handle: ({ params, engine }) => json(inspection(engine.containers.exec(params.id))),
  }),
];

/**
 * Reports a failed start after the response head was sent: the message takes the place of the output, as in Docker.
 *
 * @param isRaw the client expects no attach frames
 */
async function startAttached(exec: Exec, client: Duplex, isRaw: boolean): Promise<void> {
  const joining = new ExecClient(client, isRaw !== exec.body.Tty);
  try {
    await exec.start(joining);
  } catch (error) {
    const bytes = new TextEncoder().encode(`${error instanceof Error ? error.message : error}\r\n`);
    joining.end(isRaw ? bytes : encodeAttachFrame(1, bytes));
    if (!(error instanceof OrlopError)) throw error;
  }
}

function inspection(exec: Exec): unknown {
  const { body } = exec;
  const [entrypoint = "", ...args] = body.Cmd;
  return {
    ID: exec.id,
    Running: exec.status === "running" || exec.status === "starting",
    ExitCode: exec.exitCode ?? null,
    ProcessConfig: { tty: body.Tty, entrypoint, arguments: args, privileged: body.Privileged, user: body.User },
    OpenStdin: body.AttachStdin,
    OpenStderr: body.AttachStderr,
    OpenStdout: body.AttachStdout,
    CanRemove: exec.status === "exited",
    ContainerID: exec.containerId,
    DetachKeys: body.DetachKeys === "" ? null : Buffer.from(parseDetachKeys(body.DetachKeys)).toString("base64"),
    Pid: exec.pid,
  };
}
