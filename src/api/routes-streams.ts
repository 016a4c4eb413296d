/** Routes of attach, logs and wait. */

import { OrlopError } from "../base/errors.ts";
import type { Container } from "../engine/containers/container.ts";
import type { RunRecord } from "../engine/containers/container-record.ts";
import type { WaitCondition } from "../engine/containers/waiters.ts";
import { detachKeys } from "./detach-keys-parameter.ts";
import { flag, type ParseParameter, text, unixTime } from "./query.ts";
import { json, type Reply } from "./reply.ts";
import { route } from "./route.ts";
import { streamType } from "./stream-type.ts";
import { has } from "./versions.ts";

const conditions: readonly WaitCondition[] = ["not-running", "next-exit", "removed"];

const condition: ParseParameter<WaitCondition> = (given, name) => {
  const chosen = conditions.find((one) => one === (given || "not-running"));
  if (chosen === undefined)
    throw OrlopError.of("bad_value", {
      what: `parameter ${name}`,
      value: given ?? "",
      expected: conditions.join(", "),
    });
  return chosen;
};

const tail: ParseParameter<number | undefined> = (given, name) => {
  if (given === undefined || given === "" || given === "all" || /^-\d{1,9}$/.test(given)) return undefined;
  if (!/^\d{1,9}$/.test(given))
    throw OrlopError.of("bad_value", {
      what: `parameter ${name}`,
      value: given,
      expected: 'a number of lines, or "all"',
    });
  return Number(given);
};

/** Without an `Error` field even after a failed start, which the start request has reported. */
function exitOf(run: RunRecord): unknown {
  return { StatusCode: run.exitCode };
}

const attachQuery = { detachKeys, logs: flag, stream: flag, stdin: flag, stdout: flag, stderr: flag };

interface AttachQuery {
  readonly detachKeys: readonly number[];
  readonly logs: boolean;
  readonly stream: boolean;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

/** @throws {OrlopError} before the connection is taken over */
async function attaching(
  container: Container,
  { detachKeys: keys, ...query }: AttachQuery,
): Promise<Pick<Extract<Reply, { kind: "hijack" }>, "take" | "drop">> {
  container.checkAttach();
  // A request without any stream is answered and closed at once.
  if (!query.stdin && !query.stdout && !query.stderr) return { take: async (client) => void client.end() };
  const { enter, drop } = await container.attach({
    ...query,
    stdin: query.stdin && container.body.OpenStdin,
    // Detach keys are looked for in a terminal's input only: other input may contain any bytes.
    detachKeys: container.body.Tty ? keys : [],
  });
  return { take: enter, drop };
}

export const streamRoutes = [
  route({
    method: "POST",
    path: "/containers/:id/attach",
    operation: "ContainerAttach",
    query: attachQuery,
    async handle({ params, query, engine, apiMinor }) {
      const container = engine.containers.get(params.id);
      const contentType = streamType(container.body.Tty, apiMinor);
      return { kind: "hijack", contentType, ...(await attaching(container, query)) };
    },
  }),
  route({
    method: "GET",
    path: "/containers/:id/attach/ws",
    operation: "ContainerAttachWebsocket",
    query: attachQuery,
    async handle({ params, query, engine, apiMinor }) {
      const container = engine.containers.get(params.id);
      const all = { stream: true, stdin: true, stdout: true, stderr: true };
      return {
        kind: "hijack",
        contentType: "",
        ...(await attaching(container, has(apiMinor, "attachedStreams") ? query : { ...query, ...all })),
        webSocket: { framed: !container.body.Tty },
      };
    },
  }),
  route({
    method: "GET",
    path: "/containers/:id/logs",
    operation: "ContainerLogs",
    query: {
      follow: flag,
      stdout: flag,
      stderr: flag,
      since: unixTime,
      until: unixTime,
      timestamps: flag,
      tail,
      details: flag,
    },
    handle({ params, query, engine, signal, apiMinor }) {
      const container = engine.containers.get(params.id);
      if (!query.stdout && !query.stderr) throw OrlopError.of("no_stream", {});
      const { since, until, tail: lines, ...chosen } = query;
      const logs = container.logs(
        {
          ...chosen,
          ...(since === undefined ? {} : { sinceNs: since }),
          ...(until === undefined ? {} : { untilNs: until }),
          ...(lines === undefined ? {} : { tail: lines }),
        },
        signal,
      );
      return { kind: "stream", contentType: streamType(container.body.Tty, apiMinor), chunks: logs };
    },
  }),
  route({
    method: "POST",
    path: "/containers/:id/wait",
    operation: "ContainerWait",
    query: { condition: text },
    handle({ params, query, engine, signal, apiMinor }) {
      const wanted = condition(has(apiMinor, "waitCondition") ? query.condition : undefined, "condition");
      const gone = engine.containers.recentExits.get(params.id);
      if (gone !== undefined) return json(exitOf(gone));
      const container = engine.containers.get(params.id);
      return { kind: "later", value: container.wait(wanted, signal).then(exitOf) };
    },
  }),
];
