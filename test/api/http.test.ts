/** The Engine API as bytes on its socket. */

import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { AttachFrameDecoder } from "../../src/spec/attach-frame.ts";
import { waitUntil } from "../wait-until.ts";
import { messageOf, open, raw, request, useProduct } from "./engine-fixture.ts";

const product = useProduct();
const ask = (method: string, path: string, body?: unknown, headers?: string) =>
  request(product(), method, path, body, headers);

async function create(body: Record<string, unknown>, name = ""): Promise<string> {
  const answer = await ask("POST", `/containers/create?name=${name}`, { Image: "host", ...body });
  expect(answer.status).toBe(201);
  return (JSON.parse(answer.body) as { Id: string }).Id;
}

test.each(["/_ping", "/v1.24/_ping", "/v1.51/_ping"])("%s has Docker's headers", async (path) => {
  const answer = await ask("GET", path);
  expect([answer.status, answer.body]).toEqual([200, "OK"]);
  expect(answer.headers).toContain("Api-Version: 1.51");
  expect(answer.headers).toContain("Ostype: linux");
  expect((await ask("HEAD", path)).body).toBe("");
});

test.each([
  ["GET", "/v1.99/_ping", 400, "client version 1.99 is too new. Maximum supported API version is 1.51"],
  ["GET", "/v1.10/info", 400, "client version 1.10 is too old. Minimum supported API version is 1.24"],
  ["GET", "/nothing", 404, "page not found"],
  ["PUT", "/containers/json", 404, "page not found"],
  ["GET", "/containers/none/json", 404, "No such container: none"],
  ["GET", "/images/alpine/json", 404, "No such image: alpine"],
  ["POST", "/containers/none/wait?condition=someday", 400, 'invalid parameter condition "someday"'],
  ["GET", "/containers/json?limit=many", 400, 'invalid parameter limit "many"'],
  ["GET", "/containers/json?filters=%7B%22shape%22%3A%5B%22round%22%5D%7D", 400, "invalid filter 'shape'"],
] as const)("%s %s is %d", async (method, path, status, message) => {
  const answer = await ask(method, path);
  expect(answer.status).toBe(status);
  expect(messageOf(answer)).toContain(message);
});

describe("bodies", () => {
  const path = "/containers/create";
  test("that are no JSON", async () => {
    expect(messageOf(await ask("POST", path, "{"))).toContain("the request body is not valid JSON");
  });
  test("of another type", async () => {
    const answer = await ask("POST", path, "{}", "Content-Type: text/plain\r\n");
    expect(messageOf(answer)).toContain('invalid Content-Type "text/plain"');
  });
  test("over 4 MiB are refused before they are sent", async () => {
    const head = `POST ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n`;
    const answer = await raw(product(), `${head}Content-Length: 4194305\r\n\r\n`);
    expect([answer.status, messageOf(answer)]).toEqual([400, "the request body is over 4194304 bytes"]);
  });
  test("from a web page are refused", async () => {
    const answer = await ask("POST", path, {}, "Origin: http://evil.example\r\n");
    expect(answer.status).toBe(403);
  });
});

test("wait answers its headers at once, and its body at the exit", async () => {
  const id = await create({ Cmd: ["sh", "-c", "exit 4"] });
  const socket = await open(product());
  let text = "";
  socket.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  socket.write(`POST /containers/${id}/wait?condition=next-exit HTTP/1.1\r\nHost: x\r\n\r\n`);
  await waitUntil(() => text.includes("\r\n\r\n"), 5000, "headers");
  expect(text).not.toContain("StatusCode");
  expect((await ask("POST", `/containers/${id}/start`)).status).toBe(204);
  await waitUntil(() => text.includes('{"StatusCode":4}'), 5000, "the exit");
  socket.destroy();
  expect((await ask("POST", `/containers/${id}/wait`)).body).toContain('{"StatusCode":4}');
  expect((await ask("DELETE", `/containers/${id}`)).status).toBe(204);
});

describe.each([
  ["with Upgrade", "Connection: Upgrade\r\nUpgrade: tcp\r\n", "HTTP/1.1 101 "],
  ["without", "", "HTTP/1.1 200 "],
])("attach %s", (_, headers, status) => {
  test("input and output in one connection, each ended on its own", async () => {
    const id = await create({ Cmd: ["sh", "-c", "cat; echo end >&2"], OpenStdin: true, StdinOnce: true });
    const socket = await open(product());
    const chunks: Buffer[] = [];
    const ended = new Promise<void>((resolve) => socket.on("end", resolve));
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.write(
      `POST /containers/${id}/attach?stream=1&stdin=1&stdout=1&stderr=1 HTTP/1.1\r\nHost: x\r\n${headers}Content-Length: 0\r\n\r\n`,
    );
    await waitUntil(() => Buffer.concat(chunks).includes("\r\n\r\n"), 5000, "the head");
    await ask("POST", `/containers/${id}/start`);
    socket.write("first\n");
    socket.end("second\n");
    await ended;
    const bytes = Buffer.concat(chunks);
    const split = bytes.indexOf("\r\n\r\n") + 4;
    const head = bytes.subarray(0, split).toString();
    expect(head).toStartWith(status);
    expect(head).toContain("Content-Type: application/vnd.docker.multiplexed-stream");
    const pieces = new AttachFrameDecoder().push(bytes.subarray(split));
    const text = (stream: number) =>
      Buffer.concat(pieces.filter((piece) => piece.stream === stream).map((piece) => piece.bytes)).toString();
    expect([text(1), text(2)]).toEqual(["first\nsecond\n", "end\n"]);
    await ask("DELETE", `/containers/${id}?force=1`);
  });
});

test("attach with logs first: what was printed before, then what comes, without gap or repeat", async () => {
  const id = await create({ Cmd: ["sh", "-c", "echo before; read line; echo after $line"], OpenStdin: true });
  await ask("POST", `/containers/${id}/start`);
  await waitUntil(
    async () => (await ask("GET", `/containers/${id}/logs?stdout=1`)).body.includes("before"),
    5000,
    "the log",
  );
  const socket = await open(product());
  let text = "";
  const ended = new Promise<void>((resolve) => socket.on("end", resolve));
  socket.setEncoding("latin1").on("data", (chunk: string) => {
    text += chunk;
  });
  socket.write(
    `POST /containers/${id}/attach?logs=1&stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`,
  );
  await waitUntil(() => text.includes("before"), 5000, "the log's part");
  socket.write("x\n");
  await ended;
  expect(text.split("before")).toHaveLength(2);
  expect(text).toContain("after x\n");
  await ask("DELETE", `/containers/${id}?force=1`);
});

test("a --rm container that nobody starts has no process, and can be started late", async () => {
  let id = "";
  // For a second: a busy machine may look too late, and makes another.
  const isExpected = async (): Promise<boolean> => {
    id = await create({ Cmd: ["true"], HostConfig: { AutoRemove: true } });
    for (let look = 0; look < 20 && product().monitorPids().length === 0; look++) await Bun.sleep(10);
    if (product().monitorPids().length > 0) return true;
    await ask("DELETE", `/containers/${id}`);
    return false;
  };
  await waitUntil(isExpected, 5000, "its start is expected");
  await waitUntil(() => product().monitorPids().length === 0, 5000, "its start is not expected any more");
  const answer = await ask("POST", `/containers/${id}/start`);
  expect([answer.status, answer.body]).toEqual([204, ""]);
  await waitUntil(async () => (await ask("GET", `/containers/${id}/json`)).status === 404, 5000, "it is gone");
});

test("what a start would do is told, and not done", async () => {
  const namespaces = () => readdirSync(`${product().runDir}/netns`).join();
  const PortBindings = { "80/tcp": [{ HostPort: "18099" }] };
  const asked = { Image: "host", Cmd: ["true"], HostConfig: { NetworkMode: "bridge", PortBindings } };
  let answer = await ask("POST", "/orlop/explain", asked);
  // The last tests' networks go, and others are made ready, behind the answers: asked again until nothing else moves.
  const isNothingDone = async (): Promise<boolean> => {
    const before = namespaces();
    answer = await ask("POST", "/orlop/explain", asked);
    return namespaces() === before;
  };
  await waitUntil(isNothingDone, 5000, "no network was made");
  expect(answer.status).toBe(200); // the port is still free
  const { steps } = JSON.parse(answer.body) as { steps: { side: string; op: string; why: string; calls: string[] }[] };
  expect(steps.filter(({ side }) => side === "network").map(({ why }) => why)).toEqual(
    expect.arrayContaining(["a network of its own", "published ports lead to the container"]),
  );
  expect(steps.at(-1)).toMatchObject({ side: "container", op: "exec" });
  expect(steps.every((step) => step.why !== "" && step.calls.length > 0)).toBe(true);
  expect((await ask("GET", "/containers/json?all=1")).body).toBe("[]\n");
});

test("ids are found by their beginning, names with and without a slash; two of one beginning are ambiguous", async () => {
  const id = await create({ Cmd: ["true"] }, "found");
  for (const reference of [id, id.slice(0, 4), "found", "%2Ffound"])
    expect((await ask("GET", `/containers/${reference}/json`)).status).toBe(200);
  expect((await ask("DELETE", "/containers/found")).status).toBe(204);
});

test("the detach keys end the attachment, and leave the container running", async () => {
  const id = await create({ Cmd: ["cat"], OpenStdin: true, Tty: true });
  await ask("POST", `/containers/${id}/start`);
  expect((await ask("POST", `/containers/${id}/resize?h=33&w=101`)).status).toBe(200);
  const socket = await open(product());
  let text = "";
  const ended = new Promise<void>((resolve) => socket.on("end", resolve));
  socket.setEncoding("latin1").on("data", (chunk: string) => {
    text += chunk;
  });
  socket.write(
    `POST /containers/${id}/attach?stream=1&stdin=1&stdout=1&detachKeys=ctrl-a,b HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`,
  );
  await waitUntil(() => text.includes("\r\n\r\n"), 5000, "the head");
  socket.write("typed\n");
  await waitUntil(() => text.includes("typed"), 5000, "the terminal's echo");
  socket.write("\x01");
  socket.write("b");
  await ended;
  expect(text).toContain("Content-Type: application/vnd.docker.raw-stream");
  expect((await ask("GET", `/containers/${id}/json`)).body).toContain('"Status":"running"');
  expect((await ask("DELETE", `/containers/${id}?force=1`)).status).toBe(204);
});

test("a client that leaves in the middle of its request is no fault of the engine's", async () => {
  const socket = await open(product());
  const head =
    "POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n";
  socket.write(`${head}{"Image"`);
  // What is asked behind it is answered when the engine has seen this.
  for (let i = 0; i < 5; i++) await ask("GET", "/_ping");
  socket.destroy();
  for (let i = 0; i < 5; i++) await ask("GET", "/_ping");
  const log = readFileSync(join(product().runDir, "engine.log"), "utf8");
  expect(log.split("\n").filter((line) => line.startsWith("<3>"))).toEqual([]);
});
