/**
 * Where the time of one container goes, call by call: create, wait, start, exit, over raw HTTP on one kept connection each.
 *
 *   bun bench/api.ts SOCKET [RUNS] [PAUSE_MS]
 */

import { connect, type Socket } from "node:net";

/** One connection, one request at a time. */
class RawClient {
  readonly #socket: Socket;
  #text = "";
  #wake: () => void = () => undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding("latin1").on("data", (text: string) => {
      this.#text += text;
      this.#wake();
    });
  }

  static open(path: string): Promise<RawClient> {
    return new Promise((resolve, reject) => {
      const socket = connect(path, () => resolve(new RawClient(socket))).on("error", reject);
    });
  }

  send(method: string, path: string, body?: unknown): void {
    const text = body === undefined ? "" : JSON.stringify(body);
    const type = body === undefined ? "" : "Content-Type: application/json\r\n";
    this.#socket.write(`${method} ${path} HTTP/1.1\r\nHost: x\r\n${type}Content-Length: ${text.length}\r\n\r\n${text}`);
  }

  /** The whole answer, its status first. */
  async answer(): Promise<{ readonly status: number; readonly body: string }> {
    await this.head();
    const end = this.#text.indexOf("\r\n\r\n") + 4;
    const head = this.#text.slice(0, end);
    const status = Number(head.slice(9, 12));
    const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
    const isWhole = () =>
      /transfer-encoding: chunked/i.test(head)
        ? this.#text.endsWith("\r\n0\r\n\r\n")
        : this.#text.length >= end + length;
    while (!isWhole()) await this.#more();
    const body = this.#text.slice(end);
    this.#text = "";
    return { status, body };
  }

  /** Until the headers are there. */
  async head(): Promise<void> {
    while (!this.#text.includes("\r\n\r\n")) await this.#more();
  }

  close(): void {
    this.#socket.destroy();
  }

  #more(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

const [socketPath = "/run/orlop/orlop.sock", runs = "200", pauseMs = "0"] = process.argv.slice(2);
const config = { Image: "host", Cmd: ["/bin/true"], HostConfig: { AutoRemove: true, NetworkMode: "none" } };
const samples: Record<"create" | "start" | "gone" | "total", number[]> = { create: [], start: [], gone: [], total: [] };
const client = await RawClient.open(socketPath);
const waiter = await RawClient.open(socketPath);
for (let run = 0; run < Number(runs); run++) {
  if (Number(pauseMs) > 0) await new Promise((resolve) => setTimeout(resolve, Number(pauseMs)));
  const began = performance.now();
  client.send("POST", "/containers/create", config);
  const created = await client.answer();
  if (created.status !== 201) throw new Error(created.body);
  const { Id } = JSON.parse(created.body) as { Id: string };
  const afterCreate = performance.now();
  waiter.send("POST", `/containers/${Id}/wait?condition=removed`);
  await waiter.head();
  client.send("POST", `/containers/${Id}/start`);
  const started = await client.answer();
  if (started.status !== 204) throw new Error(started.body);
  const afterStart = performance.now();
  const waited = await waiter.answer();
  if (!waited.body.includes('"StatusCode":0')) throw new Error(waited.body);
  const end = performance.now();
  samples.create.push(afterCreate - began);
  samples.start.push(afterStart - afterCreate);
  samples.gone.push(end - afterStart);
  samples.total.push(end - began);
}
client.close();
waiter.close();
for (const [name, values] of Object.entries(samples)) {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (part: number) => (sorted[Math.floor(sorted.length * part)] ?? 0).toFixed(2);
  console.log(`${name.padEnd(7)} median ${at(0.5)} ms, 10 % ${at(0.1)}, 90 % ${at(0.9)}`);
}
