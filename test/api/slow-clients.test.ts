/**
 * Clients that stop in the middle of a stream, or are gone: in every stream, whichever way it goes. The engine keeps a bounded
 * amount for them, answers everybody else, and nothing of them stays.
 */

import { afterAll, beforeAll, expect } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { busyboxLayer, tarOfFiles } from "../images/layer-tar.ts";
import { kernelTest, type Need } from "../kernel/harness.ts";
import { nothingReady, Product } from "../product.ts";
import { randomBytes } from "../registry/pulling.ts";
import { ScriptedRegistry } from "../registry/scripted-registry.ts";
import { waitUntil } from "../wait-until.ts";
import { open, request } from "./engine-fixture.ts";

const needs: readonly Need[] = ["root", "product", "busybox", "overlay"];
const waitMs = 20_000;
const MIB = 1 << 20;
/** More than all that lies between engine and client. */
const LARGE = 64 * MIB;

const directory = mkdtempSync(join(tmpdir(), "orlop-slow-"));
const product = new Product(directory, { env: nothingReady });
let registry: ScriptedRegistry;
const image = () => `${registry.host}/test/box:1`;
const ask = (method: string, path: string, body?: unknown) => request(product, method, path, body);

beforeAll(async () => {
  registry = await ScriptedRegistry.open();
  registry.addImage("1", [busyboxLayer(), tarOfFiles({ large: randomBytes(LARGE, 1) })], {});
  await product.ok("pull", "-q", image());
  await product.ok("run", "--rm", "--network", "none", image(), "true");
}, 60_000);

afterAll(async () => {
  await product.stop();
  await registry[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
}, 60_000);

interface Stream {
  /** The request's first line; EXEC is an exec of its own that writes without end. */
  readonly line: string;
  /** Its headers, and what is sent of its body. */
  readonly headers?: string;
  readonly sends?: Uint8Array;
}

const upgrade = "Connection: Upgrade\r\nUpgrade: tcp\r\n";
const websocket =
  "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const upload = `Content-Type: application/x-tar\r\nContent-Length: ${LARGE}\r\n`;
/** A file's header, and the first of its bytes. */
const beginning = new Uint8Array(tarOfFiles({ large: randomBytes(LARGE / 2, 2) }).subarray(0, MIB));
const start = `Content-Type: application/json\r\n${upgrade}Content-Length: 28\r\n`;

const down: Readonly<Record<string, Stream>> = {
  logs: { line: "GET /containers/own/logs?follow=1&stdout=1" },
  "logs, not followed": { line: "GET /containers/own/logs?stdout=1" },
  stats: { line: "GET /containers/own/stats" },
  events: { line: "GET /events" },
  attach: { line: "POST /containers/own/attach?stream=1&stdout=1", headers: upgrade },
  "attach over a WebSocket": { line: "GET /containers/own/attach/ws?stream=1&stdout=1", headers: websocket },
  exec: { line: "POST /exec/EXEC/start", headers: start, sends: Buffer.from('{"Detach":false,"Tty":false}') },
  archive: { line: "GET /containers/own/archive?path=/large" },
  export: { line: "GET /containers/own/export" },
  "images/get": { line: "GET /images/get?names=IMAGE" },
};

const up: Readonly<Record<string, Stream>> = {
  archive: { line: "PUT /containers/own/archive?path=/tmp", headers: upload, sends: beginning },
  "images/load": { line: "POST /images/load", headers: upload, sends: beginning },
  "images/create": { line: "POST /images/create?fromSrc=-&repo=slow", headers: upload, sends: beginning },
  attach: {
    line: "POST /containers/own/attach?stream=1&stdin=1",
    headers: upgrade,
    sends: new Uint8Array(randomBytes(8 * MIB, 3)),
  },
};

async function begin({ line, headers = "", sends = new Uint8Array() }: Stream): Promise<Socket> {
  let target = line.replace("IMAGE", encodeURIComponent(image()));
  if (target.includes("EXEC")) {
    const { body } = await ask("POST", "/containers/own/exec", { Cmd: ["yes"], AttachStdout: true });
    target = target.replace("EXEC", (JSON.parse(body) as { Id: string }).Id);
  }
  const socket = await open(product);
  socket.on("error", () => undefined); // the engine may give it up
  socket.pause();
  const length = headers.includes("Content-Length") ? "" : "Content-Length: 0\r\n";
  socket.write(`${target} HTTP/1.1\r\nHost: x\r\n${headers}${length}\r\n`);
  socket.write(sends);
  return socket;
}

const enginePid = (): number => product.enginePid() ?? expect.unreachable("no engine runs");
const descriptors = (): number => readdirSync(`/proc/${enginePid()}/fd`).length;
const residentMb = (): number =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${enginePid()}/status`, "utf8"))?.[1]) / 1024;

async function startOwn(): Promise<void> {
  const HostConfig = { NetworkMode: "none", LogConfig: { Type: "json-file", Config: { "max-size": "20m" } } };
  const body = { Image: image(), Cmd: ["sh", "-c", "seq 1 1000000; yes"], OpenStdin: true, HostConfig };
  expect(await ask("POST", "/containers/create?name=own", body)).toMatchObject({ status: 201 });
  expect(await ask("POST", "/containers/own/start")).toMatchObject({ status: 204 });
}

/** Everybody else is served. */
async function others(): Promise<void> {
  expect((await ask("GET", "/_ping")).body).toBe("OK");
  expect((await ask("GET", "/containers/json")).status).toBe(200);
  expect(await product.ok("run", "--rm", "--network", "none", image(), "echo", "other")).toBe("other");
  expect((await ask("GET", "/containers/own/json")).status).toBe(200);
}

const unread = { runs: ["sleep", "100000"], starts: true };
const vanishing: Readonly<Record<string, { readonly runs: readonly string[]; readonly starts: boolean }>> = {
  "nobody reads its input": unread,
  "it waits for the start": { ...unread, starts: false },
};

for (const [what, { runs, starts }] of Object.entries(vanishing))
  for (const bytes of [0, 1000, 8 * MIB])
    kernelTest(
      `an attached client that has sent ${bytes} bytes and vanishes while ${what} is noticed`,
      needs,
      async () => {
        const body = { Image: image(), Cmd: runs, OpenStdin: true, HostConfig: { NetworkMode: "none" } };
        await ask("POST", "/containers/create?name=own", body);
        if (starts) await ask("POST", "/containers/own/start");
        await Bun.sleep(200);
        const before = descriptors();
        const attach = up["attach"] as Stream;
        const sends = new Uint8Array(randomBytes(bytes, 4));
        const sockets = await Promise.all(Array.from({ length: 8 }, () => begin({ ...attach, sends })));
        await waitUntil(() => descriptors() > before + 4, waitMs, "they are attached");
        await Bun.sleep(500); // all that fits is on its way, and nobody reads the rest
        for (const socket of sockets) socket.destroy();
        await waitUntil(() => descriptors() <= before + 2, waitMs, "descriptors are closed");
        await ask("DELETE", "/containers/own?force=1");
      },
    );

for (const [way, streams] of Object.entries({ reading: down, sending: up }))
  for (const [name, stream] of Object.entries(streams))
    kernelTest(
      `${name}: clients that stop ${way} hold up nobody, and are gone without a trace`,
      needs,
      async () => {
        const before = { descriptors: descriptors(), processes: product.pids().length };
        await startOwn();
        const beginMb = residentMb();
        const sockets = await Promise.all(Array.from({ length: 4 }, () => begin(stream)));
        await others();
        await Bun.sleep(1500);
        await others();
        expect(residentMb() - beginMb).toBeLessThan(100);
        const beganMs = performance.now();
        expect((await ask("DELETE", "/containers/own?force=1")).status).toBe(204);
        expect(performance.now() - beganMs).toBeLessThan(8000);
        for (const socket of sockets) socket.destroy();
        product.disconnect();
        await waitUntil(() => descriptors() <= before.descriptors + 2, waitMs, "descriptors are closed");
        await waitUntil(() => product.pids().length <= before.processes, waitMs, "processes have ended");
      },
      60_000,
    );
