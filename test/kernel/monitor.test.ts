/** The monitor on the real kernel: output, input, exit. ORLOP_TEST_SIZE: bytes of each load (1073741824 before a release). */

import { expect } from "bun:test";
import { once } from "node:events";
import { createReadStream, existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { encodeBare, encodeHello, encodeSignal } from "../../src/kernel/frame.ts";
import { AttachFrameDecoder } from "../../src/spec/attach-frame.ts";
import { JsonFileDecoder } from "../../src/spec/log-json-file.ts";
import { waitUntil } from "../wait-until.ts";
import { kernelTest, type Scratch } from "./harness.ts";
import {
  type AttachedClient,
  attach,
  connectControl,
  type FrameConnection,
  isGone,
  monitorOf,
  type Sketch,
  startMonitor,
  startSupervisor,
  untilGone,
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

async function begin(scratch: Scratch, sketch: Omit<Sketch, "directory">): Promise<FrameConnection> {
  const control = await startSupervisor(scratch);
  const connection = await startMonitor(control, { ...sketch, directory: scratch.directory });
  scratch.defer(() => connection[Symbol.dispose]());
  return connection;
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

/** The process sleeps in a write to a full pipe. */
function isStopped(pid: number): boolean {
  return readFileSync(`/proc/${pid}/wchan`, "utf8").includes("pipe_write");
}

/** A child of the container's init has been asleep in its write for a while, and the log has not grown: it is no passing wait. */
async function untilStalled(pid: number, directory: string): Promise<void> {
  let before = -1;
  let polls = 0;
  const stalled = () => {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ");
    const size = statSync(join(directory, "log")).size;
    const stopped = size === before && children.some((child) => child !== "" && isStopped(Number(child)));
    before = size;
    polls = stopped ? polls + 1 : 0;
    return polls === 10;
  };
  await waitUntil(stalled, 10_000, "the writer is stopped for good");
}

const log = { driver: "json-file" } as const;

kernelTest(
  "numbered lines reach log and clients byte for byte, though the engine is killed in mid-stream",
  ["root", "executor"],
  async (scratch) => {
    const connection = await begin(scratch, { argv: sequence, log });
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
  const connection = await begin(scratch, { argv: ["sh", "-c", script], log });
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
  const connection = await begin(scratch, { argv: ["sh", "-c", "yes | head -c 1000000"], log });
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
    const connection = await begin(scratch, { argv: ["sha256sum"] });
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
  const connection = await begin(scratch, { argv: ["sh", "-c", "trap 'exit 3' TERM; while :; do sleep 0.1; done"] });
  const client = await attach(scratch.directory, 7);
  connection.send(encodeBare("GO"));
  const { pid } = await connection.next("STARTED");
  const before = privateKilobytes(monitorOf(pid));
  while (client.socket.write(Buffer.alloc(1 << 16)));
  const control = connectControl(scratch.directory);
  expect((await control.next("STATUS")).state).toBe("running");
  expect(privateKilobytes(monitorOf(pid)) - before).toBeLessThan(256);
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
    const connection = await begin(scratch, { argv: ["cat"], flags: 1, log });
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

kernelTest(
  "what a container wrote just before it ended is never cut, 200 times",
  ["root", "executor"],
  async (scratch) => {
    const control = await startSupervisor(scratch);
    const sketch = { directory: scratch.directory, argv: ["head", "-c", "61440", "/dev/zero"], log };
    for (let i = 0; i < 200; i++) {
      using connection = await startMonitor(control, sketch);
      const client = await attach(scratch.directory, 2);
      connection.send(encodeBare("GO"));
      await connection.next("EXITED");
      const decoder = new AttachFrameDecoder();
      let size = 0;
      for await (const chunk of client.socket) {
        for (const piece of decoder.push(chunk as Uint8Array)) size += piece.bytes.length;
      }
      expect(size).toBe(61440);
    }
    const logged = new JsonFileDecoder().push(readFileSync(join(scratch.directory, "log")));
    expect(logged.reduce((sum, record) => sum + record.line.length, 0)).toBe(200 * 61440);
  },
  60_000,
);

kernelTest(
  "what the pipe holds at the exit, behind a stopped reader, is not lost",
  ["root", "executor"],
  async (scratch) => {
    const argv = ["sh", "-c", "while read x; do head -c 16384 /dev/zero; done"]; // each is a record
    const connection = await begin(scratch, { argv, log });
    const reader = await attach(scratch.directory, 2);
    const writer = await attach(scratch.directory, 1);
    connection.send(encodeBare("GO"));
    await connection.next("STARTED");
    const path = join(scratch.directory, "log");
    let blocks = 0;
    const grew = (size: number) =>
      waitUntil(() => statSync(path).size > size, 500, "the log grows").then(
        () => true,
        () => false,
      );
    for (let logged = -1; await grew(logged); blocks++) {
      logged = statSync(path).size;
      writer.socket.write("\n");
    }
    writer.socket.end();
    expect((await connection.next("EXITED")).status).toBe(0);
    const records = new JsonFileDecoder().push(readFileSync(path)); // whole, though nobody has read yet
    expect(records.reduce((sum, record) => sum + record.line.length, 0)).toBe(blocks * 16384);
    const decoder = new AttachFrameDecoder();
    const chunks = decoder.push(Buffer.from(await reader.text(), "latin1"));
    expect(chunks.reduce((sum, piece) => sum + piece.bytes.length, 0)).toBe(blocks * 16384);
  },
);

kernelTest("a client that comes later gets exactly what the log lacks", ["root", "executor"], async (scratch) => {
  const connection = await begin(scratch, { argv: ["sh", "-c", "echo line; printf begun; cat"], log });
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
  const connection = await begin(scratch, { argv, log });
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
  "the exit record is written, and the supervisor woken, when no engine is there",
  ["root", "executor"],
  async (scratch) => {
    const wake = join(scratch.directory, "wake.sock");
    const server = createServer().listen(wake);
    scratch.defer(() => {
      server.close();
    });
    const connection = await begin(scratch, { argv: ["sh", "-c", "read x; exit 5"], wake });
    const client = await attach(scratch.directory, 1);
    connection.send(encodeBare("GO"));
    await connection.next("STARTED");
    connection[Symbol.dispose]();
    const woken = once(server, "connection");
    client.socket.end("go\n");
    const [socket] = await woken;
    const frames: Uint8Array[] = [];
    for await (const chunk of socket) frames.push(chunk as Uint8Array);
    expect(Buffer.concat(frames).equals(Buffer.concat([encodeHello(), encodeBare("WAKE")]))).toBe(true);
    expect(readFileSync(join(scratch.directory, "exit"), "utf8")).toMatch(/^status=1280 ended=\d{19}\n$/);
    expect(existsSync(join(scratch.directory, "monitor.sock"))).toBe(false);
  },
);

kernelTest("a program that does not exist is a failure, and nothing stays", ["root", "executor"], async (scratch) => {
  const connection = await begin(scratch, { argv: ["/does/not/exist"], log });
  connection.send(encodeBare("GO"));
  await expect(connection.next("STARTED")).rejects.toThrow('"errno":2,"detail":"/does/not/exist"');
  expect(readdirSync(scratch.directory).sort()).toEqual(["run", "state"]);
});

kernelTest(
  "an engine that leaves before the start takes the container with it",
  ["root", "executor"],
  async (scratch) => {
    const connection = await begin(scratch, { argv: ["sleep", "1000"], log });
    const { pid } = await connection.next("SPAWNED");
    const monitor = monitorOf(pid);
    connection[Symbol.dispose]();
    await untilGone(monitor);
    expect(isGone(pid)).toBe(true);
    expect(readdirSync(scratch.directory).sort()).toEqual(["run", "state"]);
  },
);

kernelTest("a monitor that is killed leaves its container running", ["root", "executor"], async (scratch) => {
  const connection = await begin(scratch, { argv: ["sleep", "1000"], log });
  connection.send(encodeBare("GO"));
  const { pid } = await connection.next("STARTED");
  scratch.defer(() => {
    process.kill(pid, "SIGKILL");
  });
  const monitor = monitorOf(pid);
  process.kill(monitor, "SIGKILL");
  await connection.end();
  await untilGone(monitor);
  expect(isGone(pid)).toBe(false);
  expect(readFileSync(`/proc/${pid}/cmdline`, "utf8")).toBe("sleep\x001000\0");
});

kernelTest(
  "a reader that takes nothing is dropped ten seconds after the exit",
  ["root", "executor"],
  async (scratch) => {
    const connection = await begin(scratch, { argv: ["sh", "-c", "head -c 1000000 /dev/zero"], streams: 2, log });
    const stopped = await attach(scratch.directory, 2);
    connection.send(encodeBare("GO"));
    const { pid } = await connection.next("STARTED");
    const monitor = monitorOf(pid);
    await untilStalled(pid, scratch.directory);
    connection.send(encodeSignal(9));
    expect((await connection.next("EXITED")).status).toBe(9);
    await waitUntil(() => isGone(monitor), 15_000, "the monitor is gone");
    stopped.socket.destroy();
  },
  40_000,
);

kernelTest(
  "a user who is not root can open /dev/stdout and /dev/stderr again",
  ["root", "executor"],
  async (scratch) => {
    const argv = ["sh", "-c", "echo out > /dev/stdout; echo err > /dev/stderr; echo null > /dev/stdin"];
    const connection = await begin(scratch, { argv, uid: 65534, streams: 6, log });
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
  ["root", "executor"],
  async (scratch) => {
    const connection = await begin(scratch, { argv: ["sh", "-c", "yes | head -c 5000000; echo done >&2; cat"], log });
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
