/** The monitor's log files on the real kernel: formats, rotation, what a bad disk costs. */

import { expect } from "bun:test";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encodeBare } from "../../src/kernel/frame.ts";
import { JsonFileDecoder } from "../../src/spec/log-json-file.ts";
import { encodeLocalRecord, LocalDecoder } from "../../src/spec/log-local.ts";
import type { LogRecord } from "../../src/spec/log-record.ts";
import { waitUntil } from "../wait-until.ts";
import { kernelTest, type Scratch } from "./harness.ts";
import {
  type AttachedClient,
  attach,
  FrameConnection,
  monitorOf,
  type Sketch,
  startMonitor,
  startSupervisor,
  untilGone,
} from "./monitor-fixture.ts";

type LogSketch = NonNullable<Sketch["log"]>;

const golden = join(import.meta.dir, "../golden/log");
const sizeBytes = Number(process.env["ORLOP_TEST_SIZE"] ?? 32 * 1024 * 1024);
const drivers = ["json-file", "local"] as const;

/** Runs a program to its end with this log. */
async function runLogged(scratch: Scratch, argv: readonly string[], log: LogSketch): Promise<void> {
  const control = await startSupervisor(scratch);
  using connection = await startMonitor(control, { directory: scratch.directory, argv, log });
  connection.send(encodeBare("GO"));
  expect((await connection.next("EXITED")).status).toBe(0);
}

function readLog(driver: LogSketch["driver"], path: string): LogRecord[] {
  const decoder = driver === "local" ? new LocalDecoder() : new JsonFileDecoder();
  const records = decoder.push(readFileSync(path));
  expect([decoder.skipped, decoder.pendingBytes]).toEqual([0, 0]);
  return records;
}

const text = (record: LogRecord) => Buffer.from(record.line).toString();

kernelTest("json-file is what Docker writes, but for the time", ["root", "executor"], async (scratch) => {
  await runLogged(scratch, ["cat", join(golden, "sample.bin")], { driver: "json-file" });
  const timeless = (path: string) => readFileSync(path, "latin1").replace(/"time":"[^"]*Z"/g, "");
  expect(timeless(join(scratch.directory, "log"))).toBe(timeless(join(golden, "docker.json-file")));
});

kernelTest("attributes stand in each record of a line, but not in notices", ["root", "executor"], async (scratch) => {
  const attributes = ',"attrs":{"a":"b"}';
  await runLogged(scratch, ["sh", "-c", "echo one; echo two >&2"], { driver: "json-file", attributes });
  const records = readLog("json-file", join(scratch.directory, "log"));
  expect(records.map((record) => [record.stream, text(record), record.attrs])).toEqual([
    ["stdout", "one", { a: "b" }],
    ["stderr", "two", { a: "b" }],
  ]);
});

kernelTest("local is what Docker writes, but for times and ids", ["root", "executor"], async (scratch) => {
  await runLogged(scratch, ["cat", join(golden, "sample.bin")], { driver: "local" });
  const records = readLog("local", join(scratch.directory, "log"));
  const docker = readLog("local", join(golden, "docker.local"));
  const shaped = records.map((record, i) => {
    const like = docker[i];
    const piece = record.piece && like?.piece ? { piece: { ...record.piece, id: like.piece.id } } : {};
    return Buffer.from(encodeLocalRecord({ ...record, timeNs: like?.timeNs ?? 0n, ...piece }));
  });
  expect(Buffer.concat(shaped).equals(readFileSync(join(golden, "docker.local")))).toBe(true);
  const ids = records.flatMap((record) => (record.piece === undefined ? [] : [record.piece.id]));
  expect(ids.every((id) => /^[0-9a-f]{64}$/.test(id))).toBe(true);
  expect([ids[0] === ids[1], new Set(ids).size]).toEqual([true, 2]);
});

for (const driver of drivers) {
  kernelTest(
    `${driver}: rotation under load loses nothing and cuts nothing`,
    ["root", "executor"],
    async (scratch) => {
      const count = Math.ceil(sizeBytes / 100);
      const maxSize = 1_000_000;
      await runLogged(scratch, ["seq", "-f", "%099.0f", String(count)], { driver, maxSize, maxFiles: 10_000 });
      const files = readdirSync(scratch.directory).filter((name) => name.startsWith("log"));
      expect(files.length).toBeGreaterThan(sizeBytes / 2 / maxSize);
      const numberOf = (name: string) => Number(name.split(".")[1] ?? 0);
      let next = 1;
      for (const name of files.sort((a, b) => numberOf(b) - numberOf(a))) {
        const path = join(scratch.directory, name);
        expect(statSync(path).size).toBeLessThan(maxSize + 200);
        for (const record of readLog(driver, path))
          if (Number(text(record)) !== next++) throw new Error(`line ${next - 1}`);
      }
      expect(next).toBe(count + 1);
    },
    30_000 + sizeBytes / 5_000,
  );

  kernelTest(`${driver}: the oldest files go`, ["root", "executor"], async (scratch) => {
    await runLogged(scratch, ["seq", "-f", "%099.0f", "20000"], { driver, maxSize: 100_000, maxFiles: 3 });
    const names = readdirSync(scratch.directory).filter((name) => name.startsWith("log"));
    expect(names.sort()).toEqual(["log", "log.1", "log.2"]);
    const numbers = ["log.2", "log.1", "log"].flatMap((name) =>
      readLog(driver, join(scratch.directory, name)).map(text),
    );
    expect(Number(numbers.at(-1))).toBe(20000);
    expect(numbers.map(Number)).toEqual(numbers.map((_, i) => 20001 - numbers.length + i));
  });

  kernelTest(
    `${driver}: half a record that a killed monitor left is cut off`,
    ["root", "executor"],
    async (scratch) => {
      const path = join(scratch.directory, "log");
      await runLogged(scratch, ["echo", "first"], { driver });
      writeFileSync(path, readFileSync(path).subarray(0, -3), { flag: "a" });
      await runAgain(scratch, driver);
      expect(readLog(driver, path).map(text)).toEqual(["first", "second"]);
    },
  );

  kernelTest(
    `${driver}: a disk that refuses once costs counted records, not the container`,
    ["root", "executor"],
    async (scratch) => {
      const control = await startSupervisor(scratch, { ORLOP_POINT: "monitor.log.append:28:2" });
      const { directory } = scratch;
      const argv = ["sh", "-c", "echo one; read x; echo two; echo too; read x; echo three"];
      using connection = await startMonitor(control, { directory, argv, log: { driver } });
      const client = await attach(directory, 3);
      connection.send(encodeBare("GO"));
      await said(client, "one");
      client.socket.write("\n"); // one is in the log: a burst is logged before the next is read
      await said(client, "too");
      client.socket.write("\n");
      expect((await connection.next("EXITED")).status).toBe(0);
      const records = readLog(driver, join(scratch.directory, "log"));
      const [, lost] = records;
      expect(lost?.stream).toBe("stderr");
      const match = /^orlop: (\d+) log records were lost: No space left on device$/.exec(
        lost === undefined ? "" : text(lost),
      );
      const lines = records.filter((record) => record.stream === "stdout").map(text);
      expect(lines.length + Number(match?.[1])).toBe(4);
      expect([lines[0], lines.at(-1)]).toEqual(["one", "three"]);
    },
  );
}

for (const point of ["append", "rotate", "shifted", "rotated"]) {
  kernelTest(
    `a monitor killed at monitor.log.${point} loses no line in the middle`,
    ["root", "executor"],
    async (scratch) => {
      const control = await startSupervisor(scratch, { ORLOP_POINT: `monitor.log.${point}:kill:3` });
      const { directory } = scratch;
      const log = { driver: "json-file", maxSize: 100_000, maxFiles: 100 } as const;
      using connection = await startMonitor(control, { directory, argv: ["seq", "-f", "%099.0f", "10000"], log });
      const { pid } = await connection.next("SPAWNED");
      connection.send(encodeBare("GO"));
      await connection.end();
      await untilGone(pid); // nobody reads its output any more
      expect(existsSync(join(directory, "exit"))).toBe(false);
      const names = readdirSync(directory).filter((name) => /^log(\.\d+)?$/.test(name));
      const numberOf = (name: string) => Number(name.split(".")[1] ?? 0);
      names.sort((a, b) => numberOf(b) - numberOf(a));
      const lines = names.flatMap((name) =>
        readLog("json-file", join(directory, name)).map((record) => Number(text(record))),
      );
      expect(lines.length).toBeGreaterThan(10); // two bursts at least, however small: a slow machine's are
      expect(lines).toEqual(lines.map((_, i) => i + 1));
    },
  );
}

kernelTest(
  "a log that drops when its disk hangs lets the container run and end",
  ["root", "executor"],
  async (scratch) => {
    const control = await startSupervisor(scratch, { ORLOP_POINT: "monitor.log.append:stop:2" });
    const { directory } = scratch;
    const argv = ["sh", "-c", "echo 1; read x; seq -f %099.0f 2 100000"]; // 10 MB: ten times what is kept
    using connection = await startMonitor(control, { directory, argv, log: { driver: "json-file", flags: 1 } });
    const client = await attach(directory, 3);
    const { pid } = await connection.next("SPAWNED");
    const writer = Number(
      readFileSync(`/proc/${monitorOf(pid)}/task/${monitorOf(pid)}/children`, "utf8").replace(String(pid), ""),
    );
    connection.send(encodeBare("GO"));
    await said(client, "1");
    client.socket.end("\n");
    client.socket.resume();
    const record = join(directory, "exit");
    await waitUntil(() => existsSync(record), 10_000, "the container has ended, though its log hangs");
    const late = new FrameConnection(join(directory, "monitor.sock"));
    await late.end(); // nobody can come any more
    process.kill(writer, "SIGCONT");
    expect((await connection.next("EXITED")).status).toBe(0);
    const records = readLog("json-file", join(directory, "log"));
    const told = records.flatMap((item) => /^orlop: (\d+) log records were lost/.exec(text(item))?.slice(1) ?? []);
    const lines = records.filter((item) => item.stream === "stdout").map((item) => Number(text(item)));
    const lost = told.reduce((sum, count) => sum + Number(count), 0);
    expect(lines.length + lost).toBe(100_000);
    expect(lines.slice(0, 5000)).toEqual(lines.slice(0, 5000).map((_, i) => i + 1));
    expect(lost).toBeGreaterThan(50_000);
    expect(told.length).toBeLessThan(20); // notices are few, they do not fill what is kept
  },
);

kernelTest("a log that drops loses nothing while its disk keeps up", ["root", "executor"], async (scratch) => {
  const control = await startSupervisor(scratch);
  const { directory } = scratch;
  const argv = ["sh", "-c", "for i in $(seq 200); do echo $i; read x; done"];
  const log = { driver: "local", flags: 1, maxSize: 1000, maxFiles: 1000 } as const;
  using connection = await startMonitor(control, { directory, argv, log });
  const client = await attach(directory, 3);
  connection.send(encodeBare("GO"));
  for (let i = 1; i <= 200; i++) {
    await said(client, String(i));
    client.socket.write("\n");
  }
  expect((await connection.next("EXITED")).status).toBe(0);
  const names = readdirSync(directory).filter((name) => name.startsWith("log"));
  const numberOf = (name: string) => Number(name.split(".")[1] ?? 0);
  names.sort((a, b) => numberOf(b) - numberOf(a));
  expect(names.length).toBeGreaterThan(5);
  const lines = names.flatMap((name) => readLog("local", join(directory, name)).map(text));
  expect(lines).toEqual(Array.from({ length: 200 }, (_, i) => String(i + 1)));
});

async function said(client: AttachedClient, word: string): Promise<void> {
  let text = "";
  while (!text.includes(word)) {
    const chunk = client.socket.read() as Uint8Array | null;
    if (chunk === null) await once(client.socket, "readable");
    else text += Buffer.from(chunk).toString();
  }
}

async function runAgain(scratch: Scratch, driver: LogSketch["driver"]): Promise<void> {
  const sketch = { directory: scratch.directory, argv: ["echo", "second"], log: { driver } };
  using connection = await startMonitor(join(scratch.directory, "run/control.sock"), sketch);
  connection.send(encodeBare("GO"));
  await connection.next("EXITED");
}

kernelTest("a log that exists is not removed by a start that fails", ["root", "executor"], async (scratch) => {
  const { directory } = scratch;
  await runLogged(scratch, ["echo", "kept"], { driver: "local" });
  const sketch = { directory, argv: ["/does/not/exist"], log: { driver: "local" } } as const;
  using connection = await startMonitor(join(directory, "run/control.sock"), sketch);
  connection.send(encodeBare("GO"));
  await expect(connection.next("STARTED")).rejects.toThrow("/does/not/exist");
  expect(readLog("local", join(directory, "log")).map(text)).toEqual(["kept"]);
});

kernelTest("a log in a directory that is missing fails its step", ["root", "executor"], async (scratch) => {
  const control = await startSupervisor(scratch);
  const { directory } = scratch;
  const log = { driver: "json-file", path: join(directory, "no/log") } as const;
  await expect(startMonitor(control, { directory, argv: ["true"], log })).rejects.toThrow('"errno":2');
  expect(existsSync(join(directory, "monitor.sock"))).toBe(false);
});
