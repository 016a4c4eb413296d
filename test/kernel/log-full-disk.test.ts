/** Logs on a disk that is full: the container is never held up, and how much was lost is told, even where no room comes back. */

import { expect } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { encodeBare } from "../../src/kernel/frame.ts";
import { JsonFileDecoder } from "../../src/spec/log-json-file.ts";
import { LocalDecoder } from "../../src/spec/log-local.ts";
import { FrozenDisk } from "../frozen-disk.ts";
import { kernelTest, type Scratch } from "./harness.ts";
import { attach, startMonitor, startSupervisor } from "./monitor-fixture.ts";

const needs = ["root", "executor"] as const;
const count = 20_000;

const kinds = [
  ["json-file", 0],
  ["json-file", 1],
  ["local", 0],
  ["local", 1],
] as const;

/** Runs a container that writes its lines while the disk is full; what its log says of them. */
async function logOnFullDisk(
  scratch: Scratch,
  driver: "json-file" | "local",
  flags: number,
  when: (disk: FrozenDisk, next: () => Promise<void>) => Promise<void>,
) {
  const control = await startSupervisor(scratch);
  const disk = new FrozenDisk(scratch.directory);
  scratch.defer(() => disk[Symbol.dispose]());
  const directory = join(disk.path, "container");
  mkdirSync(directory);
  const script = `read x; seq -f %099.0f 1 ${count}; echo done >&2; read x; seq -f %099.0f ${count + 1} ${count + 10}`;
  using connection = await startMonitor(control, { directory, argv: ["sh", "-c", script], log: { driver, flags } });
  const client = await attach(directory, 5); // its input, and stderr alone
  connection.send(encodeBare("GO"));
  await connection.next("STARTED");
  let said = "";
  client.socket.on("data", (bytes: Uint8Array) => {
    said += Buffer.from(bytes).toString();
  });
  const next = async (): Promise<void> => {
    client.socket.write("\n");
    while (!said.includes("done")) await new Promise((resolve) => client.socket.once("data", resolve));
  };
  await when(disk, next);
  client.socket.end("\n");
  expect((await connection.next("EXITED")).status).toBe(0);
  const decoder = driver === "local" ? new LocalDecoder() : new JsonFileDecoder();
  const records = decoder.push(readFileSync(join(directory, "log")));
  expect([decoder.skipped, decoder.pendingBytes]).toEqual([0, 0]);
  const texts = records.map(({ line }) => Buffer.from(line).toString()).filter((text) => text !== "done");
  const told = texts.flatMap((text) => /^orlop: (\d+) log records were lost: (.*)$/.exec(text) ?? []);
  const lost = texts.flatMap((text) => /^orlop: (\d+) log records were lost/.exec(text)?.slice(1) ?? []).map(Number);
  const numbers = texts.filter((text) => /^\d+$/.test(text)).map(Number);
  expect(readdirSync(directory).filter((name) => name.startsWith("log"))).toEqual(["log"]);
  return { numbers, lost: lost.reduce((sum, some) => sum + some, 0), told, last: texts.at(-1), directory };
}

for (const [driver, flags] of kinds) {
  const name = `${driver}, ${flags === 1 ? "non-blocking" : "blocking"}`;

  kernelTest(
    `${name}: a disk that stays full to the end: its records say how much is missing`,
    needs,
    async (scratch) => {
      const { numbers, lost, told } = await logOnFullDisk(scratch, driver, flags, async (disk, next) => {
        disk.fill();
        await next();
      });
      expect(told).toContain("No space left on device");
      expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
      // "done" is a line too, and may be among them.
      expect([count + 10, count + 11]).toContain(numbers.length + lost);
      expect(lost).toBeGreaterThan(count / 2);
    },
  );

  kernelTest(
    `${name}: room that comes back is written to again, and what is missing is told before`,
    needs,
    async (scratch) => {
      const { numbers, lost, last } = await logOnFullDisk(scratch, driver, flags, async (disk, next) => {
        disk.fill();
        await next();
        disk.empty();
      });
      expect(last).toBe(String(count + 10).padStart(99, "0"));
      expect([count + 10, count + 11]).toContain(numbers.length + lost);
      expect(lost).toBeGreaterThan(count / 2);
    },
  );
}

kernelTest("a log takes no more of the disk than it has, when it is done", needs, async (scratch) => {
  const control = await startSupervisor(scratch);
  const { directory } = scratch;
  const argv = ["seq", "-f", "%099.0f", "1", "30000"];
  using connection = await startMonitor(control, {
    directory,
    argv,
    log: { driver: "json-file", maxSize: 1_000_000, maxFiles: 3 },
  });
  connection.send(encodeBare("GO"));
  expect((await connection.next("EXITED")).status).toBe(0);
  for (const name of ["log", "log.1", "log.2"]) {
    const { size, blocks } = statSync(join(directory, name));
    expect(blocks * 512 - size).toBeLessThan(16 << 10);
  }
});
