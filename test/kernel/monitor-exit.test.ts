/** How a container's life ends, on the real kernel: what its monitor still delivers, records, tells, and leaves behind. */

import { expect } from "bun:test";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { encodeBare, encodeHello, encodeSignal } from "../../src/kernel/frame.ts";
import { AttachFrameDecoder } from "../../src/spec/attach-frame.ts";
import { JsonFileDecoder } from "../../src/spec/log-json-file.ts";
import { waitUntil } from "../wait-until.ts";
import { kernelTest } from "./harness.ts";
import {
  attach,
  beginMonitor,
  connectControl,
  isGone,
  monitorOf,
  startMonitor,
  startSupervisor,
  untilGone,
  untilStalled,
} from "./monitor-fixture.ts";

const log = { driver: "json-file" } as const;

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
  "a container's mounts are held before its program runs, so that the end of the shortest one waits for none",
  ["root", "executor"],
  async (scratch) => {
    const connection = await beginMonitor(scratch, { argv: ["true"], ownMounts: true });
    await attach(scratch.directory, 2); // the monitor has its loop by now
    const { pid } = await connection.next("SPAWNED");
    const fds = `/proc/${monitorOf(pid)}/fd`;
    const held = readdirSync(fds).map((fd) => readlinkSync(join(fds, fd)));
    expect(held).toContain(readlinkSync(`/proc/${pid}/ns/mnt`));
    connection.send(encodeBare("GO"));
    expect((await connection.next("EXITED")).status).toBe(0);
  },
);

kernelTest(
  "what the pipe holds at the exit, behind a stopped reader, is not lost",
  ["root", "executor"],
  async (scratch) => {
    const argv = ["sh", "-c", "while read x; do head -c 16384 /dev/zero; done"]; // each is a record
    const connection = await beginMonitor(scratch, { argv, log });
    const reader = await attach(scratch.directory, 2);
    const writer = await attach(scratch.directory, 1);
    connection.send(encodeBare("GO"));
    await connection.next("STARTED");
    const path = join(scratch.directory, "log");
    let blocks = 0;
    // Where a busy machine is taken for a full pipe, less is in it: what is written is counted all the same.
    const grew = async (size: number): Promise<boolean> => {
      for (let look = 0; look < 50 && statSync(path).size <= size; look++) await Bun.sleep(10);
      return statSync(path).size > size;
    };
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

kernelTest(
  "the exit record is written, and the supervisor woken, when no engine is there",
  ["root", "executor"],
  async (scratch) => {
    const wake = join(scratch.directory, "wake.sock");
    const server = createServer().listen(wake);
    scratch.defer(() => {
      server.close();
    });
    const connection = await beginMonitor(scratch, { argv: ["sh", "-c", "read x; exit 5"], wake });
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
  const connection = await beginMonitor(scratch, { argv: ["/does/not/exist"], log });
  connection.send(encodeBare("GO"));
  await expect(connection.next("STARTED")).rejects.toThrow('"errno":2,"detail":"/does/not/exist"');
  expect(readdirSync(scratch.directory).sort()).toEqual(["run", "state"]);
});

kernelTest(
  "an engine that leaves before the start takes the container with it",
  ["root", "executor"],
  async (scratch) => {
    const connection = await beginMonitor(scratch, { argv: ["sleep", "1000"], log });
    const { pid } = await connection.next("SPAWNED");
    const monitor = monitorOf(pid);
    connection[Symbol.dispose]();
    await untilGone(monitor);
    expect(isGone(pid)).toBe(true);
    expect(readdirSync(scratch.directory).sort()).toEqual(["run", "state"]);
  },
);

kernelTest(
  "a SIGKILL whose engine died before it was read is not carried out; another signal is",
  ["root", "executor"],
  async (scratch) => {
    const script = "trap 'exit 7' HUP; echo trapped; while :; do sleep 0.01; done";
    const connection = await beginMonitor(scratch, { argv: ["sh", "-c", script], log });
    connection.send(encodeBare("GO"));
    const { pid } = await connection.next("STARTED");
    await waitUntil(
      () => readFileSync(join(scratch.directory, "log")).length > 0,
      10_000,
      "it can hear of the other one",
    );
    const monitor = monitorOf(pid);
    const dying = connectControl(scratch.directory);
    await dying.next("STATUS");
    process.kill(monitor, "SIGSTOP");
    dying.send(encodeSignal(9));
    await new Promise<void>((resolve) =>
      dying.socket
        .end(resolve)
        .resume()
        .once("close", () => resolve()),
    );
    dying.socket.destroy();
    process.kill(monitor, "SIGCONT");
    const next = connectControl(scratch.directory);
    next.send(encodeSignal(1));
    expect((await connection.next("EXITED")).status).toBe(7 << 8);
  },
);

kernelTest("a monitor that is killed leaves its container running", ["root", "executor"], async (scratch) => {
  const connection = await beginMonitor(scratch, { argv: ["sleep", "1000"], log });
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
    const connection = await beginMonitor(scratch, {
      argv: ["sh", "-c", "head -c 1000000 /dev/zero"],
      streams: 2,
      log,
    });
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
