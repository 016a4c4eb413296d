/** Events as clients see them: Docker's actions, attributes and stream formats. */

import { expect, test } from "bun:test";
import { testWhere } from "../kernel/harness.ts";
import { waitUntil } from "../wait-until.ts";
import { docker, messageOf, open, request, useProduct } from "./engine-fixture.ts";

const product = useProduct();
const ask = (method: string, path: string, body?: unknown, headers?: string) =>
  request(product(), method, path, body, headers);

interface Event {
  readonly Type: string;
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Record<string, string> };
  readonly status?: string;
  readonly from?: string;
}

/** Everything until now of one container. */
async function eventsOf(name: string): Promise<Event[]> {
  const filters = encodeURIComponent(JSON.stringify({ container: [name] }));
  const now = (Date.now() + 5) / 1000;
  const answer = await ask("GET", `/events?since=1&until=${now}&filters=${filters}`);
  expect(answer.status).toBe(200);
  return bodyOf(answer.body)
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => JSON.parse(line) as Event);
}

/** Of a chunked answer; each chunk here is one event. */
function bodyOf(chunked: string): string {
  return chunked.replace(/(?:\r\n|^)[0-9a-f]+\r\n/g, "");
}

test("a life: create, attach, start, resize, kill, die, stop, start, restart, destroy", async () => {
  const body = {
    Image: "host",
    Cmd: ["sh", "-c", "trap 'exit 3' TERM; echo ready; while :; do sleep 0.01; done"],
    Labels: { a: "b" },
    Tty: true,
    OpenStdin: true,
  };
  const { Id } = JSON.parse((await ask("POST", "/containers/create?name=life", body)).body) as { Id: string };
  const socket = await open(product());
  socket.write(`POST /containers/life/attach?stream=1&stdout=1&stdin=1 HTTP/1.1\r\nHost: x\r\n\r\n`);
  let text = "";
  const ended = new Promise((resolve) => socket.once("end", resolve));
  socket.on("data", (bytes: Uint8Array) => {
    text += Buffer.from(bytes).toString("latin1");
  });
  await waitUntil(() => text !== "", 5000, "it is attached");
  await ask("POST", "/containers/life/start");
  await waitUntil(() => text.includes("ready"), 5000, "its trap is set");
  await ask("POST", "/containers/life/resize?h=10&w=20");
  socket.write("\x10\x11");
  await ended;
  await ask("POST", "/containers/life/stop");
  await ask("POST", "/containers/life/restart?t=0");
  await ask("DELETE", "/containers/life?force=1");
  const all = await eventsOf(Id);
  expect(new Set(all.filter(({ Type }) => Type === "network").map(({ Action }) => Action))).toEqual(
    new Set(["connect", "disconnect"]),
  );
  const events = all.filter(({ Type }) => Type === "container");
  expect(events.map(({ Action }) => Action)).toEqual(
    "create attach start resize detach kill die stop start restart kill die destroy".split(" "),
  );
  expect(events.every(({ Actor }) => Actor.ID === Id && Actor.Attributes["a"] === "b")).toBe(true);
  const attributes = (action: string) => events.find(({ Action }) => Action === action)?.Actor.Attributes;
  expect(attributes("start")).toEqual({ a: "b", image: "host", name: "life" });
  expect(attributes("resize")).toMatchObject({ height: "10", width: "20" });
  expect(attributes("kill")).toMatchObject({ signal: "15" });
  expect(attributes("die")).toMatchObject({ exitCode: "3", execDuration: expect.stringMatching(/^\d+$/) });
  expect(events[2]).toMatchObject({ status: "start", from: "host", Type: "container" });
});

test("restarts at once: each is a stop and a start of its own, and none takes another's start for its own", async () => {
  const body = { Image: "host", Cmd: ["sleep", "1000"] };
  const { Id } = JSON.parse((await ask("POST", "/containers/create?name=often", body)).body) as { Id: string };
  await ask("POST", "/containers/often/start");
  const answers = await Promise.all(Array.from({ length: 4 }, () => ask("POST", "/containers/often/restart?t=0")));
  expect(answers.map(({ status }) => status)).toEqual([204, 204, 204, 204]);
  await ask("DELETE", "/containers/often?force=1");
  const told = (await eventsOf(Id))
    .map(({ Action }) => Action)
    .filter((action) => /^(start|die|restart)$/.test(action));
  expect(told).toEqual(["start", ...Array.from({ length: 4 }, () => ["die", "start", "restart"]).flat(), "die"]);
});

testWhere("docker")("a --rm container's events end with destroy; the engine's next life still knows them", async () => {
  await docker(product(), ["run", "--rm", "--name", "short", "host", "sh", "-c", "exit 4"]);
  await product().ok("system", "stop");
  await product().ok("ps");
  expect((await eventsOf("short")).map(({ Action }) => Action)).toEqual([
    "create",
    "attach",
    "start",
    "die",
    "destroy",
  ]);
});

test.each([
  ["", "application/json", ""],
  ["Accept: application/x-ndjson\r\n", "application/x-ndjson", ""],
  ["Accept: application/jsonl, */*\r\n", "application/jsonl", ""],
  ["Accept: text/html, application/json-seq;q=0.9\r\n", "application/json-seq", "\x1e"],
  ["Accept: */*\r\n", "application/json", ""],
])("%p is answered as %s", async (accept, type, before) => {
  await ask("POST", "/containers/create?name=format", { Image: "host", Cmd: ["true"] });
  await ask("DELETE", "/containers/format");
  const answer = await ask("GET", `/events?since=1&until=${Date.now() / 1000}`, undefined, accept);
  expect(answer.headers).toContain(`Content-Type: ${type}\r\n`);
  expect(bodyOf(answer.body)).toStartWith(`${before}{"status":`);
});

test("times that contradict, and unknown filters, are refused", async () => {
  expect(messageOf(await ask("GET", "/events?since=20&until=10"))).toContain("not before since");
  expect(messageOf(await ask("GET", `/events?filters=${encodeURIComponent('{"shape":["round"]}')}`))).toContain(
    "invalid filter 'shape'",
  );
});

testWhere("docker")("docker events and orlop events show the same", async () => {
  const since = String(Math.floor(Date.now() / 1000) - 1);
  await docker(product(), ["run", "--name", "shown", "-l", "x=y", "host", "true"]);
  await docker(product(), ["rm", "shown"]);
  const words = ["events", "--since", since, "--until", String(Date.now() / 1000), "--filter", "container=shown"];
  const theirs = await docker(product(), words);
  const ours = await product().ok(...words);
  const actions = (text: string) =>
    text
      .trimEnd()
      .split("\n")
      .map((line) => line.split(" ").slice(1).join(" "));
  expect(actions(ours)).toEqual(actions(theirs.stdout));
  expect(actions(ours)).toHaveLength(5);
});
