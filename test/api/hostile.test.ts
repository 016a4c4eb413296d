/**
 * Requests that are wrong, made from Docker's description of its API: each operation with missing, extra, wrong-typed, huge
 * and hostile values. None is answered with 500, none kills the engine or hangs it, and nothing is left behind.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tarOfFiles } from "../images/layer-tar.ts";
import { testWhere } from "../kernel/harness.ts";
import { expectNoLeaks, type Snapshot, takeSnapshot, type Watch } from "../leakcheck.ts";
import { nothingReady, Product } from "../product.ts";
import { waitUntil } from "../wait-until.ts";
import { hasDescription, type Operation, operations, type Parameter, type Schema } from "./description.ts";
import { messageOf, open, raw, request } from "./engine-fixture.ts";
import { hostileBodies, hostileHeaders, hostileParameters, hostileTexts } from "./hostile-values.ts";
import { NoWayOut } from "./no-way-out.ts";

/** Of the bodies, of which there are many, one in so many is tried; 1 tries all. */
const sparseness = Number(process.env["ORLOP_TEST_SPARSENESS"] ?? 3);
/** For one operation's requests. */
const timeoutMs = 120_000;
/** An answer's head must be there within this time. */
const answerMs = 30_000;

let product: Product;
let outside: NoWayOut;
let directory: string;
let watch: Watch;
let before: Snapshot;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "orlop-hostile-"));
  outside = await NoWayOut.open(directory);
  product = new Product(directory, { env: { ...outside.env, ...nothingReady } });
  await product.ok("run", "--rm", "host", "true"); // makes the folders that stay
  await product.ok("create", "--name", "first", "host", "true"); // opens the store that stays open
  await product.ok("rm", "first");
  product.disconnect();
  watch = { directory, folders: [`${product.runDir}/containers`, `${product.stateDir}/containers`] };
  outside.registry.addImage("latest", [tarOfFiles({ "etc/os-release": "NAME=bystander\n" })]);
  await product.ok("pull", bystanderImage()); // unpacks with workers that stay
  await Bun.sleep(500);
  before = takeSnapshot(watch);
  await product.engine.containers.create({ Image: "host", Cmd: ["sleep", "100000"] }, "bystander");
  await product.engine.containers.start("bystander");
}, timeoutMs);

afterAll(async () => {
  await product.stop();
  await outside[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
}, timeoutMs);

const chosen = hasDescription ? operations() : [];

describe.each(chosen.map((operation) => [`${operation.method} ${operation.path}`, operation] as const))(
  "%s",
  (_, operation) => {
    test(
      "answers what is wrong with a reason",
      async () => {
        const pid = product.enginePid();
        const faults: string[] = [];
        let at = 0;
        for (const { target, body, header } of requestsOf(operation)) {
          if (body !== undefined && at++ % sparseness !== 0) continue;
          const status = await statusOf(operation.method, target, body, header);
          if (status === 500 || status === 0)
            faults.push(`${status} for ${operation.method} ${target.slice(0, 200)} ${(body ?? "").slice(0, 300)}`);
        }
        expect(faults).toEqual([]);
        expect(product.enginePid()).toBe(pid as number);
        await removeAll();
      },
      timeoutMs,
    );
  },
);

/** What the requests have made on the way. */
async function removeAll(): Promise<void> {
  const { engine } = product;
  for (const { Id, Names } of await engine.containers.list({ all: true }))
    if (!Names.includes("/bystander")) await engine.containers.remove(Id, { force: true });
  for (const image of await engine.images.list())
    if (!(image.RepoTags ?? []).some((name) => name === "host:latest" || name === bystanderImage()))
      await engine.images.remove(image.Id, true);
  await engine.call({ method: "POST", path: "/volumes/prune", query: { filters: '{"all":["true"]}' } }).then(
    (response) => response.bytes(),
    () => undefined,
  );
}

function bystanderImage(): string {
  return `${outside.registry.host}/bystander:latest`;
}

interface Wrong {
  readonly target: string;
  readonly body?: string;
  /** "Name: value" */
  readonly header?: string;
}

function* requestsOf(operation: Operation): Generator<Wrong, void> {
  const queries = operation.parameters.filter((parameter) => parameter.in === "query");
  const schema = operation.parameters.find((parameter) => parameter.in === "body")?.schema;
  // What would remove or end the bystander is tried on nobody.
  const target = fill(operation.path, isFatal(operation) ? "nobody" : bystanderOf(operation));
  yield { target };
  for (const text of hostileTexts) yield { target: fill(operation.path, encodeURIComponent(wellFormed(text))) };
  for (const bytes of ["%00", "%ff%fe", "%", "%zz", "..", "%2e%2e%2f"]) yield { target: fill(operation.path, bytes) };
  yield* wrongQueries(target, queries, baseQuery(operation));
  for (const { name } of operation.parameters.filter((parameter) => parameter.in === "header"))
    for (const value of hostileHeaders)
      yield { target: `${target}?${baseQuery(operation)}`, header: `${name}: ${value}` };
  if (schema === undefined) return;
  const fixed = queries.map(({ name }) => name).includes("name") ? "?name=made" : "";
  for (const body of wrongTexts) yield { target: target + fixed, body };
  for (const body of bodiesOf(operation, schema)) yield { target, body: JSON.stringify(body) };
}

function isFatal({ id }: Operation): boolean {
  return /Delete|Kill|Stop|Restart|Pause|Rename|Update|Prune/.test(id);
}

function bystanderOf({ path }: Operation): string {
  return /^\/(images|distribution)\//.test(path) ? bystanderImage() : "bystander";
}

/** What an operation needs so that the one wrong thing is looked at. */
function baseQuery({ id }: Operation): string {
  if (/^(Put)?ContainerArchive/.test(id)) return "path=/tmp&";
  if (id === "ImageCreate") return `fromImage=${bystanderImage()}&`;
  return id === "ImageSearch" ? "term=bystander&" : "";
}

function* wrongQueries(target: string, queries: readonly Parameter[], base: string): Generator<Wrong, void> {
  for (const { name } of queries)
    for (const value of hostileParameters)
      yield { target: `${target}?${base}${name}=${encodeURIComponent(wellFormed(value))}` };
  const first = queries[0]?.name ?? "all";
  yield { target: `${target}?${first}=1&${first}=2&${first}` };
  yield { target: `${target}?&&&=&=x&%=%&unheard=of` };
}

function bodiesOf({ id }: Operation, schema: Schema): Iterable<unknown> {
  if (id === "ContainerCreate") return hostileBodies(schema, { Image: "host", Cmd: ["true"] });
  return hostileBodies(schema, id === "SystemAuth" ? { serveraddress: outside.registry.host } : {});
}

const wrongTexts: readonly string[] = [
  "",
  "{",
  "{}{}",
  "\0",
  "\ufeff{}",
  '{"Image":"host","Image":"other"}',
  '{"__proto__":{"Image":"host"},"Cmd":["true"]}',
  '{"HostConfig":{"__proto__":{"Privileged":true}}}',
  `${'{"a":'.repeat(10_000)}1${"}".repeat(10_000)}`,
  `${"[".repeat(10_000)}${"]".repeat(10_000)}`,
  `{"Image":"host","Cmd":["true"],"Labels":{"a":${'{"a":'.repeat(300_000)}1${"}".repeat(300_000)}}}`,
  `{"Image":"host","Cmd":${"[".repeat(1_000_000)}${"]".repeat(1_000_000)}}`,
  `{"Labels":{${Array.from({ length: 20_000 }, (_, i) => `"${i}":""`).join(",")}}}`,
  `{"Env":["${"x".repeat(3_900_000)}"]}`,
];

function fill(path: string, value: string): string {
  return path.replaceAll(/\{\w+\}/g, value);
}

/** Half a surrogate pair cannot be written as UTF-8. */
function wellFormed(text: string): string {
  return text.toWellFormed();
}

/** The answer's status; what it goes on to say is not waited for. 0: none came in time, or the connection was lost. */
async function statusOf(method: string, target: string, body = "", header = ""): Promise<number> {
  const socket = await open(product);
  const type = body === "" ? "" : "Content-Type: application/json\r\n";
  const length = `Content-Length: ${Buffer.byteLength(body)}\r\n`;
  const more = header === "" ? "" : `${header}\r\n`;
  const status = headOf(socket);
  socket.write(`${method} ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${more}${type}${length}\r\n${body}`);
  const answered = await status;
  socket.destroy();
  return answered;
}

function headOf(socket: Socket): Promise<number> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(0), answerMs);
    const settle = (status: number): void => {
      clearTimeout(timer);
      resolve(status);
    };
    let text = "";
    socket.on("data", (chunk: Uint8Array) => {
      text += Buffer.from(chunk).toString("latin1");
      if (text.includes("\r\n")) settle(Number(/^HTTP\/1\.1 (\d{3}) /.exec(text)?.[1] ?? 0));
    });
    socket.on("error", () => settle(0));
    socket.on("end", () => settle(Number(/^HTTP\/1\.1 (\d{3}) /.exec(text)?.[1] ?? 0)));
  });
}

testWhere("description")(
  "what was asked of the world outside came to the registry or the proxy, and no further",
  () => {
    expect(outside.registry.seen(/bystander/).length).toBeGreaterThan(0);
    expect([...new Set(outside.refused)]).toContain("registry-1.docker.io:443");
    expect([...new Set(outside.refused)]).toContain("index.docker.io:443");
  },
);

test("a body over 4 MiB that is sent in chunks is refused when it is too large, not read on", async () => {
  const socket = await open(product);
  const status = headOf(socket);
  socket.write(
    "POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
  );
  const piece = `100000\r\n${"x".repeat(0x10_0000)}\r\n`;
  for (let i = 0; i < 6; i++) socket.write(piece);
  expect(await status).toBe(400);
  socket.destroy();
});

test("what is no HTTP ends the connection, and nothing else", async () => {
  for (const bytes of [
    "\0\0\0\0\r\n\r\n",
    "GET\r\n\r\n",
    "GET / HTTP/9.9\r\n\r\n",
    "\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
  ]) {
    const socket = await open(product);
    const ended = new Promise((resolve) => socket.once("close", resolve));
    socket.on("error", () => undefined).resume();
    socket.end(bytes);
    await ended;
  }
  expect((await request(product, "GET", "/_ping")).body).toBe("OK");
});

test("a key twice: the last one counts, as in Go; __proto__ is a name like any other", async () => {
  const create = (body: string) => request(product, "POST", "/containers/create?name=twice", body);
  const twice = await create('{"Image":"none","Image":"host","Cmd":["true"]}');
  expect(twice.status).toBe(201);
  await request(product, "DELETE", "/containers/twice");
  const proto = await create('{"Image":"host","Cmd":["true"],"HostConfig":{"__proto__":{"Privileged":true}}}');
  expect([proto.status, messageOf(proto)]).toEqual([501, expect.stringContaining("HostConfig.__proto__")]);
  const labels = await create('{"Image":"host","Cmd":["true"],"Labels":{"__proto__":"x"}}');
  expect(labels.status).toBe(201);
  expect((await request(product, "GET", "/containers/twice/json")).body).toContain('"__proto__":"x"');
  await request(product, "DELETE", "/containers/twice");
});

describe("clients that stop or vanish in a stream", () => {
  const streams = [
    ["events", "GET /events"],
    ["logs", "GET /containers/bystander/logs?follow=1&stdout=1"],
    ["stats", "GET /containers/bystander/stats"],
    ["wait", "POST /containers/bystander/wait?condition=next-exit"],
    ["attach", "POST /containers/bystander/attach?stream=1&stdout=1&stdin=1"],
  ] as const;

  test.each(streams)(
    "%s: a hundred that vanish leave no descriptor",
    async (_, line) => {
      const pid = product.enginePid() ?? expect.unreachable("no engine runs");
      const descriptors = (): number => readdirSync(`/proc/${pid}/fd`).length;
      const few = descriptors();
      for (let i = 0; i < 100; i++) {
        const socket = await open(product);
        const head = headOf(socket);
        socket.write(`${line} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n`);
        if (i % 2 === 0) await head;
        socket.destroy();
      }
      await waitUntil(() => descriptors() <= few + 2, 10_000, "descriptors are closed");
      expect((await raw(product, "GET /_ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).body).toBe("OK");
    },
    30_000,
  );

  test("events: one that never reads costs a bounded amount of memory, and others miss nothing", async () => {
    const pid = product.enginePid() ?? expect.unreachable("no engine runs");
    const residentMb = (): number =>
      Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
    const socket = await open(product);
    socket.pause();
    socket.write("GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
    const begin = residentMb();
    const { Id } = await product.engine.containers.inspect("bystander");
    for (let i = 0; i < 3000; i++) await product.engine.containers.rename(Id, `by${i}`);
    await product.engine.containers.rename(Id, "bystander");
    expect(residentMb() - begin).toBeLessThan(100);
    socket.destroy();
  }, 60_000);
});

test("afterwards the bystander runs, and nothing is left", async () => {
  await removeAll();
  expect((await product.engine.containers.inspect("bystander")).State.Running).toBe(true);
  await product.engine.containers.remove("bystander", { force: true });
  product.disconnect();
  await expectNoLeaks(before, watch, 20_000);
}, 60_000);
