/** Orlop as a user has it, in folders of its own: the built program, its supervisor, its engine. */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { EngineClient } from "../src/client/engine-client.ts";
import { waitUntil } from "./wait-until.ts";

export interface Outcome {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly stdin?: string | Uint8Array<ArrayBuffer>;
  readonly env?: Readonly<Record<string, string>>;
}

export interface ProductOptions {
  /** Instead of the release build. */
  readonly program?: string;
  /** Of every command, and so of the supervisor and the engine that the first one starts. */
  readonly env?: Readonly<Record<string, string>>;
  /** Instead of one in `directory`. */
  readonly runDir?: string;
}

/** For an engine that stays while tests come and go: what it has ready for the next container would be the last test's to answer for. */
export const nothingReady = { ORLOP_READY_STARTS: "0" } as const;

/** The program under test. */
export const orlopPath = process.env["ORLOP_PROGRAM"] ?? join(import.meta.dir, "../dist/orlop");
/** The build with step points, its executor beside it. */
export const testOrlopPath = join(import.meta.dir, "../dist/test/orlop");

const stopMs = 30_000;

export class Product {
  readonly runDir: string;
  readonly stateDir: string;
  #engine: EngineClient;
  readonly #program: string;
  readonly #env: Readonly<Record<string, string>>;

  /** @param directory where its folders are */
  constructor(directory: string, options: ProductOptions = {}) {
    this.runDir = options.runDir ?? join(directory, "run");
    this.stateDir = join(directory, "state");
    this.#engine = this.connect();
    this.#program = options.program ?? orlopPath;
    this.#env = options.env ?? {};
  }

  /** Talks to the engine of these folders; does not start one by itself (a command does). */
  get engine(): EngineClient {
    return this.#engine;
  }

  /** A client of its own, with connections that nobody else uses. */
  connect(): EngineClient {
    return new EngineClient({ address: { kind: "unix", path: join(this.runDir, "orlop.sock") } });
  }

  /** Ends the connections that `engine` keeps: they are descriptors of the real one. */
  disconnect(): void {
    this.#engine.close();
    this.#engine = this.connect();
  }

  /** For docker, and everything else that speaks the Engine API. */
  get dockerHost(): string {
    return `unix://${this.runDir}/orlop.sock`;
  }

  /** A command line of `orlop` with these folders. */
  command(...words: string[]): string[] {
    return [this.#program, "--run-dir", this.runDir, "--root", this.stateDir, ...words];
  }

  /** Runs one `orlop` command to its end. */
  run(words: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    return runProgram(this.command(...words), { ...options, env: { ...this.#env, ...options.env } });
  }

  /** As `run`; throws when it fails. Its standard output. */
  async ok(...words: string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await this.run(words);
    if (exitCode !== 0) throw new Error(`orlop ${words.join(" ")}: exit code ${exitCode}: ${stderr}`);
    return stdout.trimEnd();
  }

  /** undefined when none runs. */
  supervisorPid(): number | undefined {
    // The others of this name are monitors, which may be orphans.
    const holder = Number(readText(join(this.runDir, "lock")));
    return this.#processes().find(({ pid, words }) => pid === holder && words[1] === "supervisor")?.pid;
  }

  /** undefined when none runs. */
  enginePid(): number | undefined {
    const supervisor = this.supervisorPid();
    return this.#processes().find(({ parent, words }) => parent === supervisor && words[1] !== "supervisor")?.pid;
  }

  /** kill -9. Its pid. */
  killEngine(): number {
    const pid = this.enginePid();
    if (pid === undefined) throw new Error("no engine runs"); // a kill of nobody would be one of this whole run
    process.kill(pid, "SIGKILL");
    return pid;
  }

  /** Tasks and monitors: what the supervisor forked, wherever its parent is now. */
  monitorPids(): number[] {
    const supervisor = this.supervisorPid();
    return this.#processes()
      .filter(({ pid, words }) => words[1] === "supervisor" && pid !== supervisor && !isNetd(pid))
      .map(({ pid }) => pid);
  }

  /** undefined when none runs. */
  netdPid(): number | undefined {
    return this.#processes().find(({ pid }) => isNetd(pid))?.pid;
  }

  /** netd, where an older supervisor started it: the one that runs now watches it by a descriptor more than it has for its own child. */
  adoptedNetdPid(): number | undefined {
    const supervisor = this.supervisorPid();
    return this.#processes().find(({ pid, parent }) => isNetd(pid) && parent !== supervisor)?.pid;
  }

  /** Everything of ours that runs. */
  pids(): number[] {
    return this.#processes().map(({ pid }) => pid);
  }

  /** Removes every container and ends engine and supervisor. */
  async stop(): Promise<void> {
    if (this.#processes().length === 0) return;
    await this.ok("info"); // the supervisor may be gone, and monitors and netd still there
    for (const { Id } of await this.engine.containers.list({ all: true })) {
      await this.engine.containers.remove(Id, { force: true });
    }
    await this.ok("system", "stop");
    await waitUntil(() => this.#processes().length === 0, stopMs, "engine and supervisor are gone");
  }

  #processes(): { pid: number; parent: number; words: readonly string[] }[] {
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map((name) => ({ pid: Number(name), parent: parentOf(name), words: commandLine(name) }))
      .filter(({ words }) => words.includes(this.runDir));
  }
}

/** The monitor of a container's first process, or of an exec's: it forked it. */
export function monitorOf(pid: number): number {
  const parent = parentOf(String(pid));
  if (parent < 2) throw new Error(`process ${pid} has no monitor`);
  return parent;
}

/** Runs a command to its end, both outputs kept. */
export async function runProgram(command: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const child = Bun.spawn([...command], {
    stdin: options.stdin === undefined ? "ignore" : new Blob([options.stdin]),
    stdout: "pipe",
    stderr: "pipe",
    env: { ...process.env, ...options.env },
  });
  const [stdout, stderr, exitCode] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { exitCode, stdout, stderr };
}

function readText(path: string): string {
  return existsSync(path) ? readFileSync(path, "utf8") : "";
}

function parentOf(pid: string): number {
  try {
    return Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0);
  } catch {
    return 0; // it has ended
  }
}

/** The supervisor's child too, and there for as long as networks are. */
function isNetd(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8") === "orlop-netd\n";
  } catch {
    return false; // it has ended
  }
}

function commandLine(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  } catch {
    return []; // it has ended
  }
}
