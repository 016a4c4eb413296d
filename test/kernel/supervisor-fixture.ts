/** A supervisor of a test's own, with a stand-in for the engine. */

import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { connectUnix } from "../../src/kernel/connect-unix.ts";
import { encodeBare, encodeHello } from "../../src/kernel/frame.ts";
import { executorPath, type Scratch } from "./harness.ts";

export interface SupervisorOptions {
  /** The engine's program and arguments; the stand-in unless told otherwise. */
  readonly engine?: (runDirectory: string) => readonly string[];
  readonly idleSeconds?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** A program and arguments that start it, e.g. in namespaces of its own. */
  readonly within?: readonly string[];
}

export interface TestSupervisor {
  readonly runDirectory: string;
  readonly stateDirectory: string;
  readonly pid: number;
}

/** Command line of the stand-in. mood: what it does when asked to leave. */
export function standIn(runDirectory: string, mood: "idle" | "busy" | "stop" = "idle"): readonly string[] {
  return [process.execPath, join(import.meta.dir, "engine-stand-in.ts"), runDirectory, mood];
}

/** Runs the command that starts a supervisor; its exit code and words. */
export async function launch(words: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const command = Bun.spawn([...words], {
    env: { PATH: process.env["PATH"] ?? "", ...env },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const code = await command.exited;
  const said = code === 0 ? "" : await new Response(command.stderr).text();
  return { code, said };
}

/** Starts a supervisor below the scratch directory; it is stopped at the test's end. */
export async function startSupervisor(scratch: Scratch, options: SupervisorOptions = {}): Promise<TestSupervisor> {
  const runDirectory = join(scratch.directory, "run");
  const stateDirectory = join(scratch.directory, "state");
  const engine = (options.engine ?? standIn)(runDirectory);
  const words = [
    ...(options.within ?? []),
    executorPath,
    "supervisor",
    runDirectory,
    stateDirectory,
    String(options.idleSeconds ?? 600),
    ...engine,
  ];
  const { code, said } = await launch(words, { ORLOP_FOREIGN_NAMESPACE: "1", ...options.env });
  if (code !== 0) throw new Error(`the supervisor did not start: exit code ${code}: ${said}`);
  scratch.defer(() => stopSupervisor(runDirectory));
  const pid = Number(readFileSync(join(runDirectory, "lock"), "utf8"));
  return { runDirectory, stateDirectory, pid };
}

/** STOP, and waits until the supervisor has ended. One that is gone already is fine. */
export async function stopSupervisor(runDirectory: string): Promise<void> {
  const socket = await connectUnix(join(runDirectory, "supervisor.sock")).catch(() => undefined);
  if (socket === undefined) return;
  const gone = new Promise((resolve) => socket.on("end", resolve).on("error", resolve).on("close", resolve));
  socket.resume().write(Buffer.concat([encodeHello(), encodeBare("STOP")]));
  await gone;
  socket.destroy();
}

/** Connects as a client does; what the stand-in answers: its pid. */
export function askEngine(runDirectory: string): Promise<number> {
  return new Promise((resolve, reject) => {
    let said = "";
    const socket = connect(join(runDirectory, "orlop.sock"));
    socket.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
    socket.on("error", reject).on("end", () => resolve(Number(said)));
  });
}

/** Sends these requests one after the other on one connection; all that came back until it ended. */
export async function askHttp(runDirectory: string, ...methods: readonly string[]): Promise<string> {
  const socket = connect(join(runDirectory, "orlop.sock"));
  const ended = new Promise((resolve) => socket.on("close", resolve));
  let said = "";
  let asked = 0;
  const askNext = (): void => {
    const method = methods[asked++];
    if (method === undefined) socket.end();
    else
      socket.write(`${method} /_ping HTTP/1.1\r\nHost: x\r\n${method === "POST" ? "Content-Length: 9\r\n" : ""}\r\n`);
  };
  const answered = (): boolean =>
    said.split("\r\n\r\n").length > asked && (methods[asked - 1] === "HEAD" || said.endsWith("\n"));
  socket.setEncoding("utf8").on("data", (text: string) => {
    said += text;
    if (answered()) askNext();
  });
  socket.on("error", () => undefined); // what was said until then counts
  askNext();
  await ended;
  return said;
}

/** Whether this process runs (a zombie does not). */
export function isAlive(pid: number): boolean {
  try {
    return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false; // gone
  }
}
