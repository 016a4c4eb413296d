/** The real executor: a task of the supervisor for each plan, over control.sock; monitors over their own sockets. */

import { join } from "node:path";
import type { Duplex } from "node:stream";
import { OrlopError } from "../base/errors.ts";
import { connectUnix } from "./connect-unix.ts";
import { Conversation, type Listener } from "./conversation.ts";
import {
  type Attachment,
  type AttachOptions,
  addValue,
  type BegunMonitor,
  type Executor,
  type GivenAway,
  type GivenClient,
  type MonitorLink,
  type PlanValues,
  type StartOptions,
  StepFailure,
  type SupervisorLink,
} from "./executor.ts";
import { type Answer, encodeAttach, encodeBare, encodeHello, encodeWatch, FrameDecoder } from "./frame.ts";
import { giveClient } from "./give-client.ts";
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
    const collected = new Collected(steps);
    const conversation = await Conversation.open(this.#path, collected);
    const abort = (): void => conversation.close();
    options.signal?.addEventListener("abort", abort);
    try {
      conversation.send(plan);
      return await collected.values;
    } catch (error) {
      options.signal?.throwIfAborted();
      throw error;
    } finally {
      options.signal?.removeEventListener("abort", abort);
      conversation.close();
    }
  }

  async startMonitor(steps: readonly Step[], options: StartOptions = {}): Promise<MonitorLink> {
    const opened = SocketMonitorLink.open(this.#path, steps); // the task is forked while the plan is encoded
    const plan = await encodeMeanwhile(opened, steps);
    const link = await opened;
    link.send(options.go === true ? Buffer.concat([plan, encodeBare("GO")]) : plan);
    await link.ready;
    return link;
  }

  async beginMonitor(beginning: readonly Step[]): Promise<BegunMonitor> {
    const bytes = encodeBeginning(beginning);
    const link = await SocketMonitorLink.open(this.#path, beginning);
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
    const link = await SocketMonitorLink.open(socketPath, []);
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

  giveClient(socketPath: string, client: GivenClient): Promise<GivenAway> {
    return giveClient(socketPath, client);
  }
}

/** @throws what is wrong with the plan; the connection is closed then */
async function encodeMeanwhile(opened: Promise<Disposable>, steps: readonly Step[]): Promise<Uint8Array> {
  try {
    return encodePlan(steps);
  } catch (error) {
    await opened.then((link) => link[Symbol.dispose]()).catch(() => undefined); // the error in the plan is reported
    throw error;
  }
}

/** A plain task's answers, until DONE. */
class Collected implements Listener {
  readonly #steps: readonly Step[];
  readonly #values = new Map<number, Uint8Array>();
  readonly #decoder = new FrameDecoder();
  readonly #outcome = Promise.withResolvers<PlanValues>();

  constructor(steps: readonly Step[]) {
    this.#steps = steps;
    this.#outcome.promise.catch(() => undefined); // `values` tells
  }

  /** @throws {StepFailure} @throws {OrlopError} executor_lost */
  get values(): Promise<PlanValues> {
    return this.#outcome.promise;
  }

  data(bytes: Uint8Array): void {
    try {
      for (const answer of this.#decoder.push(bytes)) this.#take(answer);
    } catch (error) {
      this.#lose((error as Error).message, error);
    }
  }

  closed(error?: Error): void {
    this.#lose(error?.message ?? "the connection closed", error);
  }

  #take(answer: Answer): void {
    if (answer.kind === "VALUE") addValue(this.#values, answer);
    else if (answer.kind === "DONE") this.#outcome.resolve(this.#values);
    else if (answer.kind === "FAILED")
      this.#outcome.reject(new StepFailure(this.#steps, answer.step, answer.errno, answer.detail));
  }

  #lose(reason: string, cause?: unknown): void {
    this.#outcome.reject(OrlopError.of("executor_lost", { reason }, cause));
  }
}

/** Reads one answer. What follows it stays in the socket, which is left paused. */
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
 * Connects to the supervisor of this run directory as its engine.
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
    serves: () => void socket.write(encodeBare("SERVES")),
    busy: () => void socket.write(encodeBare("BUSY")),
    watch: (pid) => void socket.write(encodeWatch(pid)),
    stop: () => void socket.write(encodeBare("STOP")),
    [Symbol.dispose]: () => void socket.destroy(),
  };
}
