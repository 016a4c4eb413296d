/** The real executor: one task of the supervisor for each plan, over control.sock; monitors over their own sockets. */

import { join } from "node:path";
import type { Duplex } from "node:stream";
import { OrlopError } from "../base/errors.ts";
import { connectUnix } from "./connect-unix.ts";
import {
  type Attachment,
  type AttachOptions,
  addValue,
  type BegunMonitor,
  type Executor,
  type MonitorLink,
  type PlanValues,
  type StartOptions,
  StepFailure,
  type SupervisorLink,
} from "./executor.ts";

import { type Answer, encodeAttach, encodeBare, encodeHello, encodeWatch, FrameDecoder } from "./frame.ts";
import { SocketMonitorLink } from "./monitor-link.ts";
import { encodeBeginning, encodePlan, encodeRest } from "./plan.ts";
import type { Step } from "./step.ts";

/** The executor behind the supervisor that owns this run directory. */
export function openExecutor(runDirectory: string): Executor {
  return new SocketExecutor(join(runDirectory, "control.sock"));
}

class SocketExecutor implements Executor {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  async run(steps: readonly Step[], options: { readonly signal?: AbortSignal } = {}): Promise<PlanValues> {
    options.signal?.throwIfAborted();
    const plan = encodePlan(steps);
    const socket = await connectUnix(this.#path);
    const abort = (): void => void socket.destroy();
    options.signal?.addEventListener("abort", abort);
    try {
      socket.write(plan);
      return await collectValues(socket, steps);
    } catch (error) {
      options.signal?.throwIfAborted();
      throw error;
    } finally {
      options.signal?.removeEventListener("abort", abort);
      socket.destroy();
    }
  }

  async startMonitor(steps: readonly Step[], options: StartOptions = {}): Promise<MonitorLink> {
    const connected = connectUnix(this.#path); // the task is forked while the plan is encoded
    const plan = await encodeMeanwhile(connected, steps);
    const link = new SocketMonitorLink(await connected, steps);
    link.send(options.go === true ? Buffer.concat([plan, encodeBare("GO")]) : plan);
    await link.ready;
    return link;
  }

  async beginMonitor(beginning: readonly Step[]): Promise<BegunMonitor> {
    const bytes = encodeBeginning(beginning);
    const link = new SocketMonitorLink(await connectUnix(this.#path), beginning);
    link.send(bytes);
    await link.ready;
    return {
      bytes,
      closed: link.closed,
      async finish(plan, done) {
        const rest = encodeRest(plan, done);
        link.goOnWith(plan, rest);
        await link.done;
        return link;
      },
      withdraw: () => link.withdraw(),
    };
  }

  connectTask(): Promise<Duplex> {
    return connectUnix(this.#path);
  }

  async connectMonitor(socketPath: string): Promise<MonitorLink> {
    const link = new SocketMonitorLink(await connectUnix(socketPath), []);
    link.send(Buffer.concat([encodeHello(), encodeBare("CONTROL")]));
    await link.ready;
    return link;
  }

  async attachMonitor(socketPath: string, options: AttachOptions): Promise<Attachment> {
    const socket = await connectUnix(socketPath);
    socket.write(Buffer.concat([encodeHello(), encodeAttach(options.streams, options.partial === true ? 1 : 0)]));
    const answer = await firstAnswer(socket);
    if (answer.kind === "ATTACHED") return { stream: socket, inode: answer.inode, offset: answer.offset };
    socket.destroy();
    if (answer.kind === "FAILED") throw new StepFailure([], answer.step, answer.errno, answer.detail);
    throw OrlopError.of("executor_lost", { reason: `${answer.kind} instead of ATTACHED` });
  }
}

/** @throws what is wrong with the plan; the connection is closed then */
async function encodeMeanwhile(connected: Promise<Duplex>, steps: readonly Step[]): Promise<Uint8Array> {
  try {
    return encodePlan(steps);
  } catch (error) {
    await connected.then((socket) => socket.destroy()).catch(() => undefined); // the plan's fault is told
    throw error;
  }
}

/** A plain task's answers, until DONE. */
function collectValues(socket: Duplex, steps: readonly Step[]): Promise<PlanValues> {
  const values = new Map<number, Uint8Array>();
  const decoder = new FrameDecoder();
  return new Promise((resolve, reject) => {
    const take = (answer: Answer): void => {
      if (answer.kind === "VALUE") addValue(values, answer);
      else if (answer.kind === "DONE") resolve(values);
      else if (answer.kind === "FAILED") reject(new StepFailure(steps, answer.step, answer.errno, answer.detail));
    };
    socket.on("data", (chunk: Uint8Array) => {
      try {
        decoder.push(chunk).forEach(take);
      } catch (error) {
        reject(OrlopError.of("executor_lost", { reason: (error as Error).message }, error));
      }
    });
    socket.on("error", (error) => reject(OrlopError.of("executor_lost", { reason: error.message }, error)));
    // "end" too: half-open sockets do not close by themselves
    const lose = (): void => reject(OrlopError.of("executor_lost", { reason: "the connection closed" }));
    socket.on("end", lose).on("close", lose);
  });
}

/** One answer; what follows it stays in the socket, which is paused afterwards. */
function firstAnswer(socket: Duplex): Promise<Answer> {
  const decoder = new FrameDecoder();
  return new Promise((resolve, reject) => {
    const lost = (error?: Error): void => {
      socket.destroy();
      reject(OrlopError.of("executor_lost", { reason: error?.message ?? "the connection closed" }, error));
    };
    const onEnd = (): void => lost();
    const onData = (chunk: Uint8Array): void => {
      try {
        const answer = decoder.pushOne(chunk);
        if (answer === undefined) return;
        socket.pause();
        socket.off("data", onData).off("end", onEnd).off("error", lost);
        if (decoder.rest.length > 0) socket.unshift(decoder.rest);
        resolve(answer);
      } catch (error) {
        lost(error as Error);
      }
    };
    socket.on("data", onData).on("end", onEnd).on("error", lost);
  });
}

/**
 * Tells the supervisor of this run directory that this process is the engine.
 *
 * @param onLeave the supervisor asks whether the engine is idle: exit, or answer `busy()`
 */
export async function connectSupervisor(runDirectory: string, onLeave: () => void): Promise<SupervisorLink> {
  const socket = await connectUnix(join(runDirectory, "supervisor.sock"));
  const decoder = new FrameDecoder();
  const closed = new Promise<void>((resolve) => {
    socket.on("close", () => resolve());
  });
  socket.on("error", () => socket.destroy());
  socket.on("end", () => socket.destroy());
  socket.on("data", (chunk: Uint8Array) => {
    for (const answer of decoder.push(chunk)) if (answer.kind === "LEAVE") onLeave();
  });
  socket.write(Buffer.concat([encodeHello(), encodeBare("ENGINE")]));
  return {
    closed,
    busy: () => void socket.write(encodeBare("BUSY")),
    watch: (pid) => void socket.write(encodeWatch(pid)),
    stop: () => void socket.write(encodeBare("STOP")),
    [Symbol.dispose]: () => void socket.destroy(),
  };
}
