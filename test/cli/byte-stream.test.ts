/** What a connection has to do, for both kinds that there are: node:net's and Bun's. */

import { describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectWithBun } from "../../src/cli/bun-stream.ts";
import { connectWithNode } from "../../src/client/node-stream.ts";

/** A server whose connections do this; gone at the end of the test. */
async function serving(act: (socket: Socket) => void) {
  const directory = mkdtempSync(join(tmpdir(), "orlop-stream-"));
  const path = join(directory, "s.sock");
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => socket.destroy());
    act(socket);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    directory,
    address: { kind: "unix", path } as const,
    [Symbol.dispose]: () => {
      server.close();
      rmSync(directory, { recursive: true });
    },
  };
}

describe.each([
  ["node:net", connectWithNode],
  ["Bun.connect", connectWithBun],
] as const)("%s", (_name, connect) => {
  test("half-close: the other side sees the end, and its answer still comes", async () => {
    using server = await serving((socket) => {
      let sizeBytes = 0;
      socket.on("data", (bytes) => {
        sizeBytes += bytes.length;
      });
      socket.on("end", () => socket.end(`got ${sizeBytes}`));
    });
    const stream = await connect(server.address);
    const wrote = Array.from({ length: 8 }, () => stream.write(new Uint8Array(1_000_000)));
    stream.endWrite();
    await Promise.all(wrote);
    expect(new TextDecoder().decode(await stream.read())).toBe("got 8000000");
    expect(await stream.read()).toBeUndefined();
    expect(stream.ended).toBe(true);
    stream.close();
  });

  test("a reader that stops stops the sender; nothing is lost or out of order", async () => {
    const totalBytes = 64_000_000;
    let sentBytes = 0;
    using server = await serving((socket) => {
      const piece = Buffer.alloc(64_000);
      const send = (): void => {
        while (sentBytes < totalBytes) {
          piece.fill((sentBytes / piece.length) % 251);
          sentBytes += piece.length;
          if (!socket.write(Buffer.from(piece))) return void socket.once("drain", send);
        }
        socket.end();
      };
      send();
    });
    const stream = await connect(server.address);
    await stream.read();
    // The sender's own buffers fill, and then it stands still: seen by its count not changing for a while of turns.
    for (let before = -1; before !== sentBytes; await turns(200)) before = sentBytes;
    expect(sentBytes).toBeLessThan(totalBytes / 4);
    let at = -1;
    let readBytes = 0;
    for (let bytes = await stream.read(); bytes !== undefined; bytes = await stream.read()) {
      readBytes += bytes.length;
      for (let i = 0; i < bytes.length; i += 4096) {
        const value = bytes[i] as number;
        expect(at === -1 || value === at || value === (at + 1) % 251).toBe(true);
        at = value;
      }
    }
    expect(sentBytes).toBe(totalBytes);
    expect(readBytes).toBeGreaterThan(totalBytes - 2_000_000); // without the first piece
    stream.close();
  });

  test("writing to a connection that is gone rejects", async () => {
    using server = await serving((socket) => socket.destroy());
    const stream = await connect(server.address);
    expect(await stream.read()).toBeUndefined();
    await expect(writeUntilRefused(() => stream.write(new Uint8Array(100_000)))).rejects.toThrow();
  });

  test("nobody listening is ENOENT", async () => {
    await expect(connect({ kind: "unix", path: "/nonexistent/x.sock" })).rejects.toMatchObject({ code: "ENOENT" });
  });
});

test("a path that is longer than a socket address holds is reached all the same", async () => {
  using server = await serving((socket) => socket.end("here"));
  const long = join(server.directory, "long-name-".repeat(12));
  mkdirSync(long);
  symlinkSync(server.address.path, join(long, "s.sock"));
  const stream = await connectWithBun({ kind: "unix", path: join(long, "s.sock") });
  expect(new TextDecoder().decode(await stream.read())).toBe("here");
});

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}

async function writeUntilRefused(write: () => Promise<void>): Promise<void> {
  for (let i = 0; i < 1000; i++) await write();
}
