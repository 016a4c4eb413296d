/** netd relays what the kernel cannot forward: ::1 to a container's address, here a server on 127.0.0.1. */

import { expect } from "bun:test";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { waitUntil } from "../wait-until.ts";
import { kernelTest, type Need } from "./harness.ts";
import { loopback6, netdPid, openUdp, relayed, serve, serveUdp, startNetd } from "./netd-fixture.ts";

const needs: readonly Need[] = ["root", "executor"];
const port = 18080;
/** A dose; 10000 is the full one. */
const connections = Number(process.env["ORLOP_RELAY_CONNECTIONS"] ?? 1000);

function open(): Socket {
  return connect({ host: "::1", port, allowHalfOpen: true });
}

/** Until the other side's end; an iterator would destroy the socket there. */
async function textOf(socket: Socket): Promise<string> {
  let text = "";
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString("latin1");
  });
  await once(socket, "end");
  return text;
}

kernelTest("half-close: the answer to a whole request comes through, and then the end", needs, async (scratch) => {
  const { link } = await startNetd(scratch);
  const target = await serve(scratch, async (socket) => {
    const request = await textOf(socket);
    socket.end(`${request.length} bytes: ${request}`);
  });
  await link.hold("web", [relayed("tcp", loopback6, port, target)]);
  const client = open();
  client.end("hello");
  expect(await textOf(client)).toBe("5 bytes: hello");
  await waitUntil(async () => (await link.state()).relays === 0, 5000, "the relay has ended");
});

kernelTest("half-close the other way: the client goes on sending after the server's end", needs, async (scratch) => {
  const { link } = await startNetd(scratch);
  const received = Promise.withResolvers<string>();
  const target = await serve(scratch, (socket) => {
    socket.end("bye");
    textOf(socket).then(received.resolve, received.reject);
  });
  await link.hold("web", [relayed("tcp", loopback6, port, target)]);
  const client = open();
  expect(await textOf(client)).toBe("bye");
  client.end("late");
  expect(await received.promise).toBe("late");
});

kernelTest("32 MiB come through unchanged in both directions at once", needs, async (scratch) => {
  const { link } = await startNetd(scratch);
  const target = await serve(scratch, (socket) => void socket.pipe(socket));
  await link.hold("web", [relayed("tcp", loopback6, port, target)]);
  const block = randomBytes(1 << 20);
  const sent = createHash("sha256");
  const got = createHash("sha256");
  const client = open();
  const all = (async () => {
    for await (const chunk of client) got.update(chunk as Uint8Array);
  })();
  for (let i = 0; i < 32; i++) {
    block.writeUInt32LE(i);
    sent.update(block);
    if (!client.write(Buffer.from(block))) await once(client, "drain");
  }
  client.end();
  await all;
  expect(got.digest("hex")).toBe(sent.digest("hex"));
});

kernelTest(
  "a reader that stops holds the sender up, in bounded memory, and no other connection",
  needs,
  async (scratch) => {
    const { link } = await startNetd(scratch);
    const target = await serve(scratch, (socket) => void socket.pipe(socket));
    await link.hold("web", [relayed("tcp", loopback6, port, target)]);
    const stuck = open().pause();
    const block = Buffer.alloc(1 << 20);
    // what the kernel holds of one connection, there and back, is a few MiB
    for (let i = 0; i < 64; i++) stuck.write(block);
    await waitUntil(() => stuck.bytesWritten > 1 << 20, 5000, "it begins");
    const other = open();
    other.write("still alive");
    const [chunk] = (await once(other, "data")) as [Buffer];
    expect(chunk.toString()).toBe("still alive");
    expect(stuck.writableLength).toBeGreaterThan(16 << 20);
    stuck.destroy();
    other.destroy();
    await waitUntil(async () => (await link.state()).relays === 0, 5000, "both relays have ended");
  },
);

kernelTest("a container that does not listen: the connection is cut off at once", needs, async (scratch) => {
  const { link } = await startNetd(scratch);
  await link.hold("web", [relayed("tcp", loopback6, port, 1)]);
  const [error] = (await once(open(), "error").catch((thrown: unknown) => [thrown])) as [{ code: string }];
  expect(error.code).toBe("ECONNRESET");
});

kernelTest("a connection that the server cuts off is cut off for the client too", needs, async (scratch) => {
  const { link } = await startNetd(scratch);
  const target = await serve(scratch, (socket) => void socket.once("data", () => socket.resetAndDestroy()));
  await link.hold("web", [relayed("tcp", loopback6, port, target)]);
  const client = open();
  client.write("x");
  const [error] = (await once(client, "error").catch((thrown: unknown) => [thrown])) as [{ code: string }];
  expect(error.code).toBe("ECONNRESET");
  await waitUntil(async () => (await link.state()).relays === 0, 5000, "the relay has ended");
});

kernelTest(
  `${connections} connections at once, each with two descriptors, and none left afterwards`,
  needs,
  async (scratch) => {
    const { link, supervisor } = await startNetd(scratch);
    const target = await serve(scratch, (socket) => void socket.pipe(socket));
    await link.hold("web", [relayed("tcp", loopback6, port, target)]);
    const descriptors = (): number => readdirSync(`/proc/${netdPid(supervisor.runDirectory)}/fd`).length;
    const before = descriptors();
    const clients = await Promise.all(
      Array.from({ length: connections }, async (_, index) => {
        const client = open();
        client.write(`${index}`);
        const [chunk] = (await once(client, "data")) as [Buffer];
        expect(chunk.toString()).toBe(`${index}`);
        return client;
      }),
    );
    expect((await link.state()).relays).toBe(connections);
    expect(descriptors() - before).toBeLessThan(2 * connections + 100); // and a few pipes that are kept
    for (const client of clients) client.destroy();
    await waitUntil(async () => (await link.state()).relays === 0, 5000, "all relays have ended");
    expect(descriptors() - before).toBeLessThan(100);
  },
  60_000,
);

kernelTest("when nothing happens it has little memory, whatever it holds", needs, async (scratch) => {
  const { link, supervisor } = await startNetd(scratch);
  await link.hold("web", [{ protocol: "tcp", address: loopback6, first: 20_000, last: 20_999 }]);
  for (let index = 0; index < 100; index++) {
    const address = Uint8Array.of(10, 0, 0, index);
    await link.name("net", `owner-${index}`, { names: [`web-${index}`], addresses: [address], pointer: "web.net" });
  }
  const sizes = readFileSync(`/proc/${netdPid(supervisor.runDirectory)}/smaps_rollup`, "utf8");
  const kilobytes = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(sizes)?.[1]);
  expect(kilobytes("Private_Clean") + kilobytes("Private_Dirty")).toBeLessThan(1024);
});

kernelTest("a port that is let go: its connections go on, no new ones", needs, async (scratch) => {
  const { link } = await startNetd(scratch);
  const target = await serve(scratch, (socket) => void socket.pipe(socket));
  await link.hold("web", [relayed("tcp", loopback6, port, target)]);
  const client = open();
  client.write("a");
  await once(client, "data");
  await link.hold("web", []);
  client.write("b");
  const [chunk] = (await once(client, "data")) as [Buffer];
  expect(chunk.toString()).toBe("b");
  const [error] = (await once(open(), "error").catch((thrown: unknown) => [thrown])) as [{ code: string }];
  expect(error.code).toBe("ECONNREFUSED");
  client.destroy();
});

kernelTest("udp: each peer gets its own answers, from the address that it asked", needs, async (scratch) => {
  const { link } = await startNetd(scratch);
  const target = await serveUdp(scratch);
  await link.hold("dns", [relayed("udp", loopback6, port, target), relayed("udp", new Uint8Array(4), port, target)]);
  const ask = async (own: string, asked: string, text: string): Promise<string> => {
    const socket = await openUdp(scratch, own, 0);
    socket.send(text, port, asked);
    const [message, from] = (await once(socket, "message")) as [Buffer, { address: string; port: number }];
    expect(from).toMatchObject({ address: asked, port });
    return message.toString();
  };
  expect(await Promise.all([ask("::1", "::1", "one"), ask("::1", "::1", "two")])).toEqual(["echo one", "echo two"]);
  expect(await ask("127.0.0.1", "127.0.0.5", "three")).toBe("echo three");
  expect((await link.state()).relays).toBe(3);
  await link.hold("dns", []);
});
