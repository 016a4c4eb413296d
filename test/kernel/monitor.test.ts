/** The monitor on the real kernel: output, input, exit. ORLOP_TEST_SIZE: bytes of each load (1073741824 before a release). */

import { expect } from "bun:test";
import { once } from "node:events";
import { createReadStream, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { encodeBare, encodeSignal } from "../../src/kernel/frame.ts";
import { AttachFrameDecoder } from "../../src/spec/attach-frame.ts";
import { JsonFileDecoder } from "../../src/spec/log-json-file.ts";
import { waitUntil } from "../wait-until.ts";
import { kernelTest, releaseExecutorPath } from "./harness.ts";
import {
  type AttachedClient,
  attach,
  beginMonitor,
  connectControl,
  isStopped,
  monitorOf,
  untilGone,
  untilStalled,
} from "./monitor-fixture.ts";

const sizeBytes = Number(process.env["ORLOP_TEST_SIZE"] ?? 32 * 1024 * 1024);
const loadMs = 30_000 + sizeBytes / 5_000;

/** Numbered lines of 100 bytes. */
const lineCount = Math.ceil(sizeBytes / 100);
const sequence = ["seq", "-f", "%099.0f", "1", String(lineCount)];

async function sequenceHash(): Promise<string> {
  const hash = new Bun.CryptoHasher("sha256");
  for await (const chunk of Bun.spawn(sequence, { stdout: "pipe" }).stdout) hash.update(chunk);
  return hash.digest("hex");
}

/** Reads an attached client to its end: the hash of what one stream said. */
async function hashOutput(client: AttachedClient, stream = 1): Promise<string> {
  const decoder = new AttachFrameDecoder();
  const hash = new Bun.CryptoHasher("sha256");
  for await (const chunk of client.socket) {
    for (const piece of decoder.push(chunk as Uint8Array)) if (piece.stream === stream) hash.update(piece.bytes);
  }
  expect(decoder.whole).toBe(true);
  return hash.digest("hex");
}

async function hashLog(path: string): Promise<string> {
  const decoder = new JsonFileDecoder();
  const hash = new Bun.CryptoHasher("sha256");
  for await (const chunk of createReadStream(path)) {
    for (const record of decoder.push(chunk as Uint8Array)) hash.update(record.line).update(record.ended ? "\n" : "");
  }
  expect([decoder.skipped, decoder.pendingBytes]).toEqual([0, 0]);
  return hash.digest("hex");
}

const log = { driver: "json-file" } as const;

kernelTest(
  "numbered lines reach log and clients byte for byte, though the engine is killed in mid-stream",
  ["root", "executor"],
  async (scratch) => {
    const connection = await beginMonitor(scratch, { argv: sequence, log });
    const fast = await attach(scratch.directory, 2);
    const slow = await attach(scratch.directory, 6);
    connection.send(encodeBare("GO"));
    await connection.next("STARTED");
    const wanted = sequenceHash();
    const fastHash = hashOutput(fast);
    await once(slow.socket, "readable"); // so far, and no further: all have stopped at the slow one
    connection[Symbol.dispose]();
    const control = connectControl(scratch.directory);
    const { pid } = await control.next("STATUS");
    await waitUntil(() => isStopped(pid), 10_000, "the container stops at its slow reader");
    const slowHash = hashOutput(slow);
    expect((await control.next("EXITED")).status).toBe(0);
    expect(await fastHash).toBe(await wanted);
    expect(await slowHash).toBe(await wanted);
    expect(await hashLog(join(scratch.directory, "log"))).toBe(await wanted);
  },
  loadMs,
);

kernelTest("a stopped reader stops the output and nothing else", ["root", "executor"], async (scratch) => {
  const script = "trap 'echo caught >&2' USR1; head -c 100000000 /dev/zero & until wait $!; do :; done; exit 7";
  const connection = await beginMonitor(scratch, { argv: ["sh", "-c", script], log });
  const reader = await attach(scratch.directory, 2);
  connection.send(encodeBare("GO"));
  const { pid } = await connection.next("STARTED");
  await untilStalled(pid, scratch.directory);
  expect(privateKilobytes(monitorOf(pid))).toBeLessThan(600);
  const errors = await attach(scratch.directory, 4);
  connection.send(encodeSignal(10)); // the other stream, signals and new connections go on
  const [chunk] = (await once(errors.socket, "data")) as [Uint8Array];
  expect(Buffer.from(chunk).subarray(8).toString()).toBe("caught\n");
  errors.socket.destroy();
  const expected = new Bun.CryptoHasher("sha256").update(Buffer.alloc(100_000_000)).digest("hex");
  expect(await hashOutput(reader)).toBe(expected);
  expect((await connection.next("EXITED")).status).toBe(7 << 8);
});

kernelTest("an attached reader that leaves lets the output go on", ["root", "executor"], async (scratch) => {
  const connection = await beginMonitor(scratch, { argv: ["sh", "-c", "yes | head -c 1000000"], log });
  const reader = await attach(scratch.directory, 2);
  connection.send(encodeBare("GO"));
  const { pid } = await connection.next("STARTED");
  const monitor = monitorOf(pid);
  await once(reader.socket, "readable");
  reader.socket.destroy();
  expect((await connection.next("EXITED")).status).toBe(0);
  await untilGone(monitor); // it does not linger for somebody who left
});

kernelTest(
  "input goes through whole, and its end reaches the container",
  ["root", "executor"],
  async (scratch) => {
    const connection = await beginMonitor(scratch, { argv: ["sha256sum"] });
    const client = await attach(scratch.directory, 7);
    connection.send(encodeBare("GO"));
    const hash = new Bun.CryptoHasher("sha256");
    const block = Buffer.alloc(1 << 20);
    for (let sent = 0; sent < sizeBytes; sent += block.length) {
      block.fill(String(sent));
      hash.update(block);
      if (!client.socket.write(Buffer.from(block))) await once(client.socket, "drain");
    }
    client.socket.end();
    expect((await client.text()).slice(8, 72)).toBe(hash.digest("hex"));
    expect((await connection.next("EXITED")).status).toBe(0);
  },
  loadMs,
);

kernelTest("input that nobody reads stops its writer, not the monitor", ["root", "executor"], async (scratch) => {
  const connection = await beginMonitor(scratch, {
    argv: ["sh", "-c", "trap 'exit 3' TERM; echo ready; while :; do sleep 0.1; done"],
  });
  const client = await attach(scratch.directory, 7);
  const isReady = once(client.socket, "data"); // before it has its trap, its signal would kill it
  connection.send(encodeBare("GO"));
  const { pid } = await connection.next("STARTED");
  await isReady;
  const before = privateKilobytes(monitorOf(pid));
  while (client.socket.write(Buffer.alloc(1 << 16)));
  const control = connectControl(scratch.directory);
  expect((await control.next("STATUS")).state).toBe("running");
  expect(privateKilobytes(monitorOf(pid)) - before).toBeLessThan(256);
  client.socket.on("error", () => undefined); // the end of the program is the end of who writes to it
  connection.send(encodeSignal(15));
  expect((await connection.next("EXITED")).status).toBe(3 << 8);
  client.socket.destroy();
});

function privateKilobytes(pid: number): number {
  return Number(/^Private_Dirty:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1]);
}

kernelTest(
  "with the flag keep, input outlives its client, and CLOSE_STDIN ends it",
  ["root", "executor"],
  async (scratch) => {
    const connection = await beginMonitor(scratch, { argv: ["cat"], flags: 1, log });
    connection.send(encodeBare("GO"));
    for (const word of ["one\n", "two\n"]) {
      const client = await attach(scratch.directory, 3);
      client.socket.write(word);
      const [chunk] = (await once(client.socket, "data")) as [Uint8Array];
      expect(Buffer.from(chunk).subarray(8).toString()).toBe(word);
      client.socket.end();
    }
    connection.send(encodeBare("CLOSE_STDIN"));
    expect((await connection.next("EXITED")).status).toBe(0);
  },
);

kernelTest("a client that comes later gets exactly what the log lacks", ["root", "executor"], async (scratch) => {
  const connection = await beginMonitor(scratch, { argv: ["sh", "-c", "echo line; printf begun; cat"], log });
  connection.send(encodeBare("GO"), encodeBare("WATCH_LOG"));
  await connection.next("LOGGED");
  const client = await unfinishedClient(scratch.directory);
  const path = join(scratch.directory, "log");
  expect(client.position).toMatchObject({ inode: BigInt(statSync(path).ino), offset: BigInt(statSync(path).size) });
  client.socket.end(" and ended\n");
  const decoder = new AttachFrameDecoder();
  const text = decoder
    .push(Buffer.from(await client.text(), "latin1"))
    .map((piece) => Buffer.from(piece.bytes).toString());
  expect(text.join("")).toBe("begun and ended\n");
  const records = new JsonFileDecoder().push(readFileSync(path));
  expect(records.map((record) => Buffer.from(record.line).toString())).toEqual(["line", "begun and ended"]);
  expect((await connection.next("EXITED")).status).toBe(0);
});

/** Attaches until the unfinished line has been read by the monitor. */
async function unfinishedClient(directory: string): Promise<AttachedClient> {
  for (;;) {
    const client = await attach(directory, 3, 1);
    if (client.socket.readableLength > 0) return client;
    const probe = await Promise.race([once(client.socket, "readable"), Bun.sleep(50)]);
    if (probe !== undefined) return client;
    // leaves its input open: a half-close would end the container's
    client.socket.destroy();
  }
}

kernelTest("a line that comes in pieces is one record", ["root", "executor"], async (scratch) => {
  const argv = ["sh", "-c", "for i in 1 2 3 4; do printf piece$i-; read x; done; echo end"];
  const connection = await beginMonitor(scratch, { argv, log });
  const client = await attach(scratch.directory, 3);
  connection.send(encodeBare("GO"));
  for (let i = 1; i <= 4; i++) {
    const [chunk] = (await once(client.socket, "data")) as [Uint8Array];
    expect(Buffer.from(chunk).subarray(8).toString()).toBe(`piece${i}-`);
    client.socket.write("\n");
  }
  expect((await connection.next("EXITED")).status).toBe(0);
  const records = new JsonFileDecoder().push(readFileSync(join(scratch.directory, "log")));
  expect(records.map((record) => Buffer.from(record.line).toString())).toEqual(["piece1-piece2-piece3-piece4-end"]);
});

kernelTest(
  "a user who is not root can open /dev/stdout and /dev/stderr again",
  ["root", "executor"],
  async (scratch) => {
    const argv = ["sh", "-c", "echo out > /dev/stdout; echo err > /dev/stderr; echo null > /dev/stdin"];
    const connection = await beginMonitor(scratch, { argv, uid: 65534, streams: 6, log });
    connection.send(encodeBare("GO"));
    expect((await connection.next("EXITED")).status).toBe(0);
    const records = new JsonFileDecoder().push(readFileSync(join(scratch.directory, "log")));
    expect(records.map(({ stream, line }) => [stream, Buffer.from(line).toString()])).toEqual([
      ["stdout", "out"],
      ["stderr", "err"],
    ]);
  },
);

kernelTest(
  "a running container's monitor keeps under 200 KB, also after a burst",
  ["root", "product"],
  async (scratch) => {
    // The build that people run: step points would be measured too.
    const connection = await beginMonitor(
      scratch,
      { argv: ["sh", "-c", "yes | head -c 5000000; echo done >&2; cat"], log },
      releaseExecutorPath,
    );
    const errors = await attach(scratch.directory, 4);
    connection.send(encodeBare("GO"));
    const { pid } = await connection.next("STARTED");
    await once(errors.socket, "data");
    const monitor = monitorOf(pid);
    const pss = () => Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${monitor}/smaps_rollup`, "utf8"))?.[1]);
    await waitUntil(() => pss() < 200, 10_000, "the monitor is under 200 KB");
    connection.send(encodeBare("CLOSE_STDIN"));
    expect((await connection.next("EXITED")).status).toBe(0);
  },
);
