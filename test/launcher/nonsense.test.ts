/** The launcher against a server that says anything: it ends, by itself, and in order. */

import { afterAll, beforeAll, expect } from "bun:test";
import { chmodSync, copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { downKind } from "../../src/spec/command-frame.ts";
import { kernelTest } from "../kernel/harness.ts";
import { orlopPath } from "../product.ts";

/** Instead of the full program: it ends with this. */
const fullProgramCode = 77;
const rounds = 60;
const directory = mkdtempSync(join(tmpdir(), "orlop-nonsense-"));

let state = 1;
/** The same numbers every time. */
function below(limit: number): number {
  state = (Math.imul(state, 1103515245) + 12345) >>> 0;
  return (state >>> 8) % limit;
}

function oneOf<T>(values: readonly [T, ...T[]]): T {
  return values[below(values.length)] ?? values[0];
}

function someFrame(): Buffer {
  const size = oneOf([0, 1, 4, 5, 60, 300, 16_385, 70_000, 330_000]);
  const head = Buffer.alloc(5);
  head[0] = below(14);
  head.writeUInt32LE(below(8) === 0 ? oneOf([0xffffffff, 0x7fffffff, 327_675, 327_676]) : size, 1);
  return Buffer.concat([head, Buffer.from(Array.from({ length: size }, () => below(256)))]);
}

let server: Server;
let answer: (socket: Socket) => void;

beforeAll(async () => {
  copyFileSync(orlopPath, join(directory, "orlop"));
  writeFileSync(join(directory, "orlop-program"), `#!/bin/sh\nexit ${fullProgramCode}\n`);
  chmodSync(join(directory, "orlop-program"), 0o755);
  server = createServer((socket) => {
    socket.on("error", () => undefined); // it leaves when it has heard enough
    socket.once("data", () => answer(socket));
  });
  await new Promise<void>((resolve) => server.listen(join(directory, "orlop.sock"), resolve));
});

afterAll(() => {
  server.close();
  rmSync(directory, { recursive: true, force: true });
});

async function launch(...words: string[]): Promise<number | string> {
  const child = Bun.spawn([join(directory, "orlop"), "--run-dir", directory, ...words], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "ignore",
  });
  await child.exited;
  return child.signalCode ?? child.exitCode ?? -1;
}

kernelTest(
  "frames of every kind and size, and no end to some",
  ["product"],
  async () => {
    answer = (socket) => {
      socket.write("HTTP/1.1 101 UPGRADED\r\n\r\n");
      for (let left = 1 + below(12); left > 0; left--) socket.write(someFrame());
      socket.end();
    };
    const signals: (number | string)[] = [];
    for (let round = 0; round < rounds; round++) {
      const end = await launch("ps");
      if (typeof end === "string") signals.push(end);
    }
    expect(signals).toEqual([]);
  },
  60_000,
);

const heads = ["", "HTTP/1.1 404 Not Found\r\n\r\n", "x".repeat(5000), "HTTP/1.1 101", "HTTP/1.1 200 OK\r\n\r\n"];
kernelTest("a server that is no engine of ours: the full program", ["product"], async () => {
  for (const head of heads) {
    answer = (socket) => void socket.end(head);
    expect(await launch("ps")).toBe(fullProgramCode);
  }
  answer = (socket) => {
    socket.write("HTTP/1.1 101 UPGRADED\r\n\r\n");
    socket.end(Buffer.of(downKind.stdout, 0xff, 0xff, 0xff, 0xff, 0));
  };
  expect(await launch("ps")).toBe(fullProgramCode);
});

kernelTest("what is about Orlop itself asks no engine: there may be none that answers", ["product"], async () => {
  answer = () => undefined;
  for (const words of [
    ["doctor"],
    ["service", "status"],
    ["version"],
    ["system", "stop"],
    ["engine", "/run", "/state"],
  ])
    expect(await launch(...words)).toBe(fullProgramCode);
});
