/** Query parameters of attach, over HTTP and over a WebSocket. */

import { Conversation, flagRow, logged, type QueryRow, withRunning } from "./query-row.ts";
import { acts } from "./row.ts";
import { NEIGHBOUR, type Stage } from "./stage.ts";

interface Way {
  begin(stage: Stage, query: string): Promise<Conversation>;
  /** What is typed, as it is sent. */
  typed(text: string): string | Uint8Array;
  readonly path: string;
  readonly method: string;
}

const overHttp: Way = {
  begin: (stage, query) =>
    Conversation.begin(stage, `POST /containers/q-attached/attach?${query}`, "Connection: Upgrade\r\nUpgrade: tcp\r\n"),
  typed: (text) => text,
  path: "attach",
  method: "POST",
};

const overWebSocket: Way = {
  begin: (stage, query) =>
    Conversation.begin(
      stage,
      `GET /containers/q-attached/attach/ws?${query}`,
      "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    ),
  typed: (text) => Buffer.concat([Buffer.from([0x82, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text, "latin1")]),
  path: "attach/ws",
  method: "GET",
};

const spoken = "trap 'echo late; echo bad >&2; exit' TERM; echo early; while :; do sleep 0.05; done";

/** The words of a container's that came on the connection. */
function wordsIn(text: string): string {
  return [...text.matchAll(/early|late|bad|got \w+/g)]
    .map(([word]) => word)
    .sort()
    .join(" ");
}

/** One that has written before and writes when it is ended. */
const attachedTo = (way: Way, query: string, stage: Stage): Promise<string> =>
  withRunning(stage, "q-attached", { Cmd: ["sh", "-c", spoken] }, async () => {
    await logged(stage, "q-attached", "early");
    const conversation = await way.begin(stage, query);
    const over = conversation.ended.then(() => "ended before, ");
    // Whom no stream is given is let go at once; who is given one stays.
    const isStreamed = /(^|&)stream=(1|true|yes)/.test(query);
    const before = isStreamed ? "" : await over;
    await stage.product.engine.containers.stop("q-attached");
    await conversation.ended;
    conversation.close();
    return before + wordsIn(conversation.text);
  });

/** What it says that it was told, by somebody whose input is or is not taken, and then by somebody whose input is. */
const told = (way: Way, query: string, stage: Stage): Promise<string> => {
  const Cmd = ["sh", "-c", "while read x; do echo got $x; done"];
  return withRunning(stage, "q-attached", { Cmd, OpenStdin: true }, async () => {
    const conversation = await way.begin(stage, `stream=1&stdout=1&${query}`);
    conversation.send(way.typed("first\n"));
    if (/=(1|true|yes)$/.test(query)) await logged(stage, "q-attached", "got first");
    const other = await way.begin(stage, "stream=1&stdin=1&stdout=1");
    other.send(way.typed("second\n"));
    await logged(stage, "q-attached", "got second");
    for (const one of [conversation, other]) one.close();
    return (await stage.product.ok("logs", "q-attached")).replaceAll("\n", ", ");
  });
};

const left = (way: Way, keys: string, stage: Stage): Promise<string> => {
  const bytes = { "": "\x10\x11", "ctrl-a": "\x01", "x,y": "xy", "ctrl-@,q": "\0q", "ctrl-[": "\x1b" }[keys] ?? "";
  return withRunning(stage, "q-attached", { Cmd: ["cat"], Tty: true, OpenStdin: true }, async () => {
    const query = `stream=1&stdin=1&stdout=1&detachKeys=${encodeURIComponent(keys)}`;
    const conversation = await way.begin(stage, query);
    conversation.send(way.typed(bytes));
    await conversation.ended;
    conversation.close();
    return String((await stage.product.engine.containers.inspect("q-attached")).State.Running);
  });
};

const rowsOf = (operation: string, way: Way): Readonly<Record<string, QueryRow>> => ({
  [`${operation} detachKeys`]: {
    ...acts(["", "ctrl-a", "x,y", "ctrl-@,q", "ctrl-["], (keys, stage) => left(way, keys, stage), "true"),
    bad: {
      method: way.method,
      target: `/containers/${NEIGHBOUR}/${way.path}?stream=1&stdout=1&detachKeys=VALUE`,
      values: ["ctrl-", "ctrl-1", "ab", "a,,b", `${"a,".repeat(40)}a`],
      named: "escape keys",
    },
  },
  [`${operation} logs`]: flagRow(
    (query, stage) => attachedTo(way, `stream=1&stdout=1&${query}`, stage),
    "early late",
    "late",
  )("logs"),
  [`${operation} stream`]: flagRow(
    (query, stage) => attachedTo(way, `${query}&logs=1&stdout=1`, stage),
    "early late",
    "ended before, early",
  )("stream"),
  [`${operation} stdin`]: flagRow(
    (query, stage) => told(way, query, stage),
    "got first, got second",
    "got second",
  )("stdin"),
  [`${operation} stdout`]: flagRow(
    (query, stage) => attachedTo(way, `stream=1&stderr=1&${query}`, stage),
    "bad late",
    "bad",
  )("stdout"),
  [`${operation} stderr`]: flagRow(
    (query, stage) => attachedTo(way, `stream=1&stdout=1&${query}`, stage),
    "bad late",
    "late",
  )("stderr"),
});

export const attachQueries: Readonly<Record<string, QueryRow>> = {
  ...rowsOf("ContainerAttach", overHttp),
  ...rowsOf("ContainerAttachWebsocket", overWebSocket),
};
