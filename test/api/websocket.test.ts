/** Attach over a WebSocket. */

import { expect, test } from "bun:test";
import { waitUntil } from "../wait-until.ts";
import { messageOf, open, request, useProduct } from "./engine-fixture.ts";

const product = useProduct();
const ask = (method: string, path: string, body?: unknown) => request(product(), method, path, body);

/** A client's frame: masked with zeros, so that the payload stays readable. */
function frame(opcode: number, text: string): Buffer {
  return Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)]);
}

const handshake = (name: string, query: string): string =>
  `GET /containers/${name}/attach/ws?${query} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`;

test.each([false, true])("input and output of a container, with a terminal: %p", async (Tty) => {
  const body = { Image: "host", Cmd: ["sh", "-c", "read x; echo got $x; echo bad >&2; read y"], OpenStdin: true, Tty };
  await ask("POST", "/containers/create?name=socket", body);
  await ask("POST", "/containers/socket/start");
  const socket = await open(product());
  let bytes = Buffer.alloc(0);
  const ended = new Promise((resolve) => socket.once("close", resolve));
  socket.on("data", (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
  });
  socket.on("end", () => socket.end());
  socket.write(handshake("socket", "stream=1&stdin=1&stdout=1&stderr=1"));
  await waitUntil(() => bytes.includes("\r\n\r\n"), 5000, "the handshake");
  expect(bytes.toString("latin1")).toStartWith("HTTP/1.1 101 ");
  expect(bytes.toString("latin1")).toContain("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  socket.write(frame(2, "one\n"));
  await waitUntil(() => bytes.includes("bad"), 5000, "the output");
  socket.write(Buffer.concat([frame(9, "hello"), frame(1, "two\n")]));
  await ended;
  const text = bytes.toString("latin1");
  expect(text).toContain("got one");
  expect(text).toContain("\x8a\x05hello");
  // Binary frames without the attach protocol's headers; at the end 1000.
  expect(text).not.toContain("\x01\x00\x00\x00");
  expect(bytes.subarray(-4)).toEqual(Buffer.from([0x88, 2, 0x03, 0xe8]));
  await ask("DELETE", "/containers/socket?force=1");
});

test("a client that closes leaves the container running; one that breaks the protocol is told so", async () => {
  await ask("POST", "/containers/create?name=stays", { Image: "host", Cmd: ["cat"], OpenStdin: true });
  await ask("POST", "/containers/stays/start");
  for (const [bytes, answer] of [
    [frame(8, "\x03\xe8"), ""],
    [Buffer.from([0x82, 0x01, 0x41]), "\x88\x02\x03\xea"],
  ] as const) {
    const socket = await open(product());
    let text = "";
    const ended = new Promise((resolve) => socket.once("close", resolve));
    socket.setEncoding("latin1").on("data", (chunk: string) => {
      text += chunk;
    });
    socket.on("end", () => socket.end());
    socket.write(handshake("stays", "stream=1&stdin=1&stdout=1"));
    await waitUntil(() => text.includes("\r\n\r\n"), 5000, "the handshake");
    socket.write(bytes);
    await ended;
    expect(text.slice(text.indexOf("\r\n\r\n") + 4)).toBe(answer);
  }
  expect((await ask("GET", "/containers/stays/json")).body).toContain('"Status":"running"');
  await ask("DELETE", "/containers/stays?force=1");
});

test("without a handshake it is refused", async () => {
  await ask("POST", "/containers/create?name=plain", { Image: "host", Cmd: ["true"] });
  const answer = await ask("GET", "/containers/plain/attach/ws?stream=1");
  expect([answer.status, messageOf(answer)]).toEqual([400, expect.stringContaining("handshake")]);
  expect((await ask("GET", "/containers/none/attach/ws")).status).toBe(404);
  await ask("DELETE", "/containers/plain");
});
