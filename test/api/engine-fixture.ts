/** A real engine for API tests: one supervisor for a whole file, in folders of its own. */

import { afterAll, beforeAll, expect } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expectNoLeaks, type Snapshot, takeSnapshot } from "../leakcheck.ts";
import { nothingReady, type Outcome, Product, type RunOptions, runProgram } from "../product.ts";

/** For a file's tests; its engine is stopped behind them, and must have left nothing. */
export function useProduct(): () => Product {
  let product: Product | undefined;
  let directory = "";
  let before: Snapshot = new Map();
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), "orlop-api-"));
    before = takeSnapshot({ directory });
    product = new Product(directory, { env: nothingReady });
    await product.ok("ps");
  });
  afterAll(async () => {
    await product?.stop();
    await expectNoLeaks(before, { directory });
    rmSync(directory, { recursive: true, force: true });
  });
  return () => product ?? expect.unreachable("no product");
}

/** The docker command line on this engine. */
export function docker(product: Product, words: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  return runProgram(["docker", ...words], { ...options, env: { DOCKER_HOST: product.dockerHost, ...options.env } });
}

export interface Answer {
  readonly status: number;
  readonly headers: string;
  readonly body: string;
}

/** Bytes to the API socket as they are, and what comes back until the engine ends the connection. */
export async function raw(product: Product, bytes: string | Uint8Array): Promise<Answer> {
  const socket = await open(product);
  let text = "";
  socket.setEncoding("latin1").on("data", (chunk: string) => {
    text += chunk;
  });
  const ended = new Promise<void>((resolve, reject) => socket.on("end", resolve).on("error", reject));
  socket.write(bytes);
  await ended;
  socket.destroy();
  const end = text.indexOf("\r\n\r\n");
  return { status: Number(text.slice(9, 12)), headers: text.slice(0, end), body: text.slice(end + 4) };
}

/** A request whose connection is closed behind it. */
export function request(product: Product, method: string, path: string, body?: unknown, headers = ""): Promise<Answer> {
  const text = body === undefined ? "" : typeof body === "string" ? body : JSON.stringify(body);
  const type = body === undefined || headers.includes("Content-Type") ? "" : "Content-Type: application/json\r\n";
  return raw(
    product,
    `${method} ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${headers}${type}Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
  );
}

/** A request whose head is answered at once and whose body later: resolves with that body's promise when it is under way. */
export async function begin(
  product: Product,
  method: string,
  path: string,
): Promise<{ readonly body: Promise<string> }> {
  const socket = await open(product);
  const head = Promise.withResolvers<void>();
  let text = "";
  const body = new Promise<string>((resolve, reject) => {
    socket.setEncoding("latin1").on("data", (chunk: string) => {
      text += chunk;
      if (text.includes("\r\n\r\n")) head.resolve();
    });
    socket.on("error", reject).on("end", () => {
      head.resolve();
      socket.destroy();
      resolve(text.slice(text.indexOf("\r\n\r\n") + 4));
    });
  });
  socket.write(`${method} ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  await head.promise;
  return { body };
}

export function open(product: Product): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const path = join(product.runDir, "orlop.sock");
    const socket = connect({ path, allowHalfOpen: true }, () => resolve(socket)).on("error", reject);
  });
}

export function messageOf(answer: Answer): string {
  return (JSON.parse(answer.body) as { message: string }).message;
}
