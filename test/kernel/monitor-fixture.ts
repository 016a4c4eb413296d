/** A monitor without an engine: plans are sent to a supervisor's control socket as bytes, and answers awaited by kind. */

import { once } from "node:events";
import { mkdirSync, readFileSync, statSync } from "node:fs";
import { createConnection, type Socket } from "node:net";
import { join } from "node:path";
import { type Answer, encodeAttach, encodeBare, encodeHello, FrameDecoder } from "../../src/kernel/frame.ts";
import { encodePlan } from "../../src/kernel/plan.ts";
import type { Step } from "../../src/kernel/step.ts";
import { waitUntil } from "../wait-until.ts";
import { executorPath, type Scratch } from "./harness.ts";

type AnswerOf<K extends Answer["kind"]> = Extract<Answer, { kind: K }>;

/** A connection that speaks frames. Answers are kept until somebody asks for their kind. */
export class FrameConnection implements Disposable {
  readonly socket: Socket;
  readonly #decoder = new FrameDecoder();
  readonly #answers: Answer[] = [];
  #ended = false;
  #wake: () => void = () => undefined;

  constructor(path: string) {
    this.socket = createConnection({ path, allowHalfOpen: true });
    this.socket.on("data", (chunk) => {
      this.#answers.push(...this.#decoder.push(chunk as Uint8Array));
      this.#wake();
    });
    const end = () => {
      this.#ended = true;
      this.#wake();
    };
    this.socket.on("error", end).on("end", end).on("close", end);
  }

  send(...frames: Uint8Array[]): void {
    this.socket.write(Buffer.concat(frames));
  }

  /** The next answer of this kind; others stay. A FAILED that was not asked for is thrown. */
  async next<K extends Answer["kind"]>(kind: K): Promise<AnswerOf<K>> {
    for (;;) {
      const index = this.#answers.findIndex((answer) => answer.kind === kind || answer.kind === "FAILED");
      const answer = this.#answers[index];
      if (answer !== undefined) {
        this.#answers.splice(index, 1);
        if (answer.kind === kind) return answer as AnswerOf<K>;
        throw new Error(`FAILED instead of ${kind}: ${JSON.stringify(answer)}`);
      }
      if (this.#ended) throw new Error(`the connection ended before ${kind}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Settles when the other side has ended the connection. */
  async end(): Promise<void> {
    while (!this.#ended) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

/** A supervisor for this test; its engine is a program that does nothing. The path of its control socket. */
export async function startSupervisor(
  scratch: Scratch,
  env: Readonly<Record<string, string>> = {},
  executor = executorPath,
): Promise<string> {
  const run = join(scratch.directory, "run");
  mkdirSync(run, { mode: 0o711 });
  const command = [executor, "supervisor", run, join(scratch.directory, "state"), "10", "/bin/true"];
  const supervisor = Bun.spawn(command, { env, stdout: "ignore", stderr: "pipe" });
  if ((await supervisor.exited) !== 0) throw new Error(await new Response(supervisor.stderr).text());
  scratch.defer(async () => {
    using link = new FrameConnection(join(run, "supervisor.sock"));
    link.send(encodeHello(), encodeBare("STOP"));
    await link.end();
  });
  return join(run, "control.sock");
}

/** The monitor of a container: the parent of its init. */
export function monitorOf(init: number): number {
  return Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${init}/status`, "utf8"))?.[1]);
}

/** A process is gone, or dead and not reaped. */
export function isGone(pid: number): boolean {
  try {
    return /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return true; // its /proc directory is gone
  }
}

export async function untilGone(pid: number): Promise<void> {
  await waitUntil(() => isGone(pid), 10_000, `process ${pid} is gone`);
}

/** What the tests' containers are: a PID namespace, stdio, a program of the host's root. */
export interface Sketch {
  readonly directory: string;
  readonly argv: readonly string[];
  /** 1 stdin, 2 stdout, 4 stderr. */
  readonly streams?: number;
  /** 1 keep stdin open, 2 terminal. */
  readonly flags?: number;
  readonly log?: {
    driver: "json-file" | "local";
    maxSize?: number;
    maxFiles?: number;
    flags?: number;
    path?: string;
    attributes?: string;
  };
  /** Steps of the child before its stdio. */
  readonly inside?: readonly Step[];
  readonly terminal?: { rows: number; columns: number; console: number };
  readonly uid?: number;
  /** It has a mount namespace of its own. */
  readonly ownMounts?: boolean;
  /** Where WAKE goes. */
  readonly wake?: string;
}

const CLONE_NEWPID = 0x20000000;
const why = "test";

/** Its plan: log, exit record and monitor.sock in the sketch's directory. */
export function planOf(sketch: Sketch): Step[] {
  const { directory, log, terminal, uid = 0 } = sketch;
  const inside: Step[] = [
    ...(sketch.inside ?? []),
    terminal === undefined ? { op: "attach-stdio", uid, gid: uid, why } : { op: "terminal", ...terminal, uid, why },
    ...(uid === 0 ? [] : [{ op: "user", uid, gid: uid, groups: [], why } as const]),
    { op: "gate", why },
    { op: "exec", argv: sketch.argv, env: ["PATH=/usr/bin:/bin", "TERM=dumb"], why },
  ];
  const ownMounts = sketch.ownMounts === true || terminal !== undefined;
  const flags = BigInt(CLONE_NEWPID) | (ownMounts ? 0x20000n : 0n);
  return [
    { op: "stdio", streams: sketch.streams ?? 7, flags: (sketch.flags ?? 0) | (terminal === undefined ? 0 : 2), why },
    ...(log === undefined ? [] : [logStep(directory, log)]),
    { op: "exit-record", path: join(directory, "exit"), sync: 1, wake: sketch.wake ?? "", why },
    { op: "listen", path: join(directory, "monitor.sock"), why },
    { op: "spawn", flags, group: "", steps: inside.length, why },
    ...inside,
  ];
}

function logStep(directory: string, log: NonNullable<Sketch["log"]>): Step {
  const { driver, maxSize = 0, maxFiles = 1, flags = 0, path = join(directory, "log") } = log;
  const attributes = new TextEncoder().encode(log.attributes ?? "");
  return { op: "log", driver, path, maxSize, maxFiles, flags, buffer: 1 << 20, attributes, why };
}

/** Sends the plan. The container waits at its gate: `send(encodeBare("GO"))` opens it. */
export async function startMonitor(control: string, sketch: Sketch): Promise<FrameConnection> {
  const connection = new FrameConnection(control);
  connection.send(encodePlan(planOf(sketch)));
  try {
    await connection.next("DONE");
  } catch (error) {
    connection[Symbol.dispose]();
    throw error;
  }
  return connection;
}

/** What a client of monitor.sock receives: everything behind ATTACHED. */
export class AttachedClient {
  readonly socket: Socket;
  readonly position: { readonly inode: bigint; readonly offset: bigint };

  constructor(socket: Socket, position: { inode: bigint; offset: bigint }) {
    this.socket = socket;
    this.position = position;
  }

  /** Everything until the end. */
  async text(): Promise<string> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of this.socket) chunks.push(chunk as Uint8Array);
    return Buffer.concat(chunks).toString("latin1");
  }
}

/** Attaches; the socket is paused behind ATTACHED. */
export async function attach(directory: string, streams: number, flags = 0): Promise<AttachedClient> {
  const socket = createConnection({ path: join(directory, "monitor.sock"), allowHalfOpen: true });
  socket.write(Buffer.concat([encodeHello(), encodeAttach(streams, flags)]));
  const decoder = new FrameDecoder();
  for (;;) {
    await once(socket, "readable");
    const chunk = socket.read() as Uint8Array | null;
    const answer = chunk === null ? undefined : decoder.pushOne(chunk);
    if (answer === undefined) continue;
    if (answer.kind !== "ATTACHED") throw new Error(`not attached: ${JSON.stringify(answer)}`);
    if (decoder.rest.length > 0) socket.unshift(Buffer.from(decoder.rest));
    return new AttachedClient(socket, answer);
  }
}

/** A second control connection, as a new engine opens it. */
export function connectControl(directory: string): FrameConnection {
  const connection = new FrameConnection(join(directory, "monitor.sock"));
  connection.send(encodeHello(), encodeBare("CONTROL"));
  return connection;
}

/** A supervisor and one monitor, for as long as the test. */
export async function beginMonitor(
  scratch: Scratch,
  sketch: Omit<Sketch, "directory">,
  executor?: string,
): Promise<FrameConnection> {
  const control = await startSupervisor(scratch, {}, executor);
  const connection = await startMonitor(control, { ...sketch, directory: scratch.directory });
  scratch.defer(() => connection[Symbol.dispose]());
  return connection;
}

/** The process sleeps in a write to a full pipe. */
export function isStopped(pid: number): boolean {
  return readFileSync(`/proc/${pid}/wchan`, "utf8").includes("pipe_write");
}

/** A child of the container's init has been asleep in its write for a while, and the log has not grown: it is no passing wait. */
export async function untilStalled(pid: number, directory: string): Promise<void> {
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
