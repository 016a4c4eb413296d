/** A container's terminal on the real kernel: made inside, served by the monitor. */

import { expect } from "bun:test";
import { once } from "node:events";
import { mkdirSync, readlinkSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { encodeBare, encodeResize, encodeSignal } from "../../src/kernel/frame.ts";
import type { Step } from "../../src/kernel/step.ts";
import { waitUntil } from "../wait-until.ts";
import { kernelTest, type Scratch } from "./harness.ts";
import {
  type AttachedClient,
  attach,
  connectControl,
  type FrameConnection,
  startMonitor,
  startSupervisor,
} from "./monitor-fixture.ts";

const why = "test";
const MS_REC_SLAVE = 0x4000 | 0x80000;
const devptsOptions = ["newinstance", "ptmxmode=0666", "mode=0620", "gid=5"];

/** A /dev of the container's own, with a devpts. */
const ownDev: readonly Step[] = [
  { op: "propagation", path: "/", flags: MS_REC_SLAVE, why },
  { op: "mount", fstype: "tmpfs", source: "tmpfs", target: "/dev", attributes: 0, options: ["mode=755"], why },
  { op: "mkdir", path: "/dev/pts", mode: 0o755, why },
  { op: "mount", fstype: "devpts", source: "devpts", target: "/dev/pts", attributes: 0, options: devptsOptions, why },
];

interface Session {
  readonly connection: FrameConnection;
  readonly client: AttachedClient;
  /** Reads until this has been said. */
  until(text: string): Promise<string>;
}

async function begin(scratch: Scratch, script: string, more: { uid?: number; size?: number } = {}): Promise<Session> {
  const control = await startSupervisor(scratch);
  const { directory } = scratch;
  const terminal = { rows: more.size ?? 33, columns: 99, console: 1 };
  const nodes = more.uid === undefined ? "mknod -m 666 /dev/tty c 5 0; mknod -m 666 /dev/null c 1 3; " : "";
  const argv = ["sh", "-c", nodes + script];
  const sketch = { directory, argv, inside: ownDev, terminal, ...(more.uid === undefined ? {} : { uid: more.uid }) };
  const connection = await startMonitor(control, sketch);
  scratch.defer(() => connection[Symbol.dispose]());
  const client = await attach(directory, 7);
  connection.send(encodeBare("GO"));
  await connection.next("STARTED");
  let said = "";
  const until = async (text: string) => {
    while (!said.includes(text)) {
      const chunk = client.socket.read() as Uint8Array | null;
      if (chunk === null) await once(client.socket, "readable");
      else said += Buffer.from(chunk).toString();
    }
    return said;
  };
  return { connection, client, until };
}

kernelTest("a terminal has its size, its name and its session", ["root", "executor"], async (scratch) => {
  const script = "stty size; tty; echo tty > /dev/tty; echo console > /dev/console; [ -t 0 ] && [ -t 1 ] && [ -t 2 ]";
  const { connection, client } = await begin(scratch, script);
  expect(await client.text()).toBe("33 99\r\n/dev/pts/0\r\ntty\r\nconsole\r\n");
  expect((await connection.next("EXITED")).status).toBe(0);
});

kernelTest("RESIZE reaches the program as SIGWINCH", ["root", "executor"], async (scratch) => {
  const script = "trap 'stty size; exit 0' WINCH; echo ready; while :; do sleep 0.05; done";
  const { connection, until } = await begin(scratch, script);
  await until("ready");
  connection.send(encodeResize(50, 132));
  await until("50 132");
  expect((await connection.next("EXITED")).status).toBe(0);
});

kernelTest("^C from a client interrupts the foreground program", ["root", "executor"], async (scratch) => {
  const { connection, client, until } = await begin(scratch, "trap 'echo interrupted; exit 9' INT; echo ready; cat");
  await until("ready");
  // Again, as a person would: a shell that is just starting its program may not hear it.
  const typing = setInterval(() => client.socket.write("\x03"), 200);
  client.socket.write("\x03");
  await until("interrupted").finally(() => clearInterval(typing));
  expect((await connection.next("EXITED")).status).toBe(9 << 8);
});

kernelTest("a terminal that is closed and opened again goes on", ["root", "executor"], async (scratch) => {
  const script = `trap 'exec > /dev/pts/0; echo again; exit 4' USR1; echo ready; read x
    exec < /dev/null > /dev/null 2>&1; while :; do sleep 0.05; done`;
  const { connection, client, until } = await begin(scratch, script);
  const { pid } = await connection.next("SPAWNED");
  await until("ready");
  client.socket.write("go\n");
  const closed = () => [0, 1, 2].every((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`) === "/dev/null");
  await waitUntil(closed, 10_000, "the container has closed its terminal");
  using control = connectControl(scratch.directory);
  await control.next("STATUS"); // the monitor has gone round since
  connection.send(encodeSignal(10));
  await until("again");
  expect((await connection.next("EXITED")).status).toBe(4 << 8);
});

kernelTest("a client that half-closes does not end a terminal's input", ["root", "executor"], async (scratch) => {
  const { connection, client, until } = await begin(scratch, "echo ready; read x; echo got $x");
  await until("ready");
  client.socket.end();
  const second = await attach(scratch.directory, 1);
  second.socket.write("it\n");
  await until("got it");
  expect((await connection.next("EXITED")).status).toBe(0);
});

kernelTest("a user who is not root owns the terminal", ["root", "executor"], async (scratch) => {
  const { connection, client } = await begin(scratch, "echo opened > $(tty); stat -c %u:%g:%a $(tty)", { uid: 1000 });
  expect(await client.text()).toBe("opened\r\n1000:5:620\r\n");
  expect((await connection.next("EXITED")).status).toBe(0);
});

kernelTest("RESIZE without a terminal is refused", ["root", "executor"], async (scratch) => {
  const control = await startSupervisor(scratch);
  const { directory } = scratch;
  using connection = await startMonitor(control, { directory, argv: ["cat"] });
  connection.send(encodeBare("GO"), encodeResize(1, 1));
  await expect(connection.next("EXITED")).rejects.toThrow('"errno":25');
  connection.send(encodeBare("CLOSE_STDIN"));
  expect((await connection.next("EXITED")).status).toBe(0);
});

kernelTest("a /dev/pts that is no devpts is refused", ["root", "executor"], async (scratch) => {
  const control = await startSupervisor(scratch);
  const fake = join(scratch.directory, "fake");
  mkdirSync(fake);
  symlinkSync("/dev/ptmx", join(fake, "ptmx"));
  const inside: Step[] = [
    { op: "propagation", path: "/", flags: MS_REC_SLAVE, why },
    { op: "bind", source: fake, target: "/dev/pts", flags: 0, set: 0, clear: 0, why },
  ];
  const sketch = {
    directory: scratch.directory,
    argv: ["true"],
    inside,
    terminal: { rows: 0, columns: 0, console: 0 },
  };
  using connection = await startMonitor(control, sketch);
  await expect(connection.next("STARTED")).rejects.toThrow("/dev/pts is not a devpts");
});

kernelTest("a ptmx that another mount covers is refused (CVE-2025-52565)", ["root", "executor"], async (scratch) => {
  const control = await startSupervisor(scratch);
  const cover: Step = { op: "bind", source: "/dev/pts/ptmx", target: "/dev/pts/ptmx", flags: 0, set: 0, clear: 0, why };
  const inside = [...ownDev, cover];
  const sketch = {
    directory: scratch.directory,
    argv: ["true"],
    inside,
    terminal: { rows: 0, columns: 0, console: 0 },
  };
  using connection = await startMonitor(control, sketch);
  await expect(connection.next("STARTED")).rejects.toThrow('"errno":18,"detail":"/dev/pts/ptmx"');
});
