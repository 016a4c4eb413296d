/** A container that a program works with. */
import { type OutputPiece, readOutput } from "../client/attach.ts";
import type { ContainerInspection, WaitCondition } from "../client/container-types.ts";
import type { EngineClient } from "../client/engine-client.ts";
import { fromNextEngine, isLost } from "../client/lost-engine.ts";
import { type PublishedPort, portKey } from "./container-options.ts";
import { ContainerProcess } from "./container-process.ts";

export interface ExecOptions {
  /** Environment variables besides the container's. */
  readonly env?: Readonly<Record<string, string>>;
  /** "USER[:GROUP]"; by default the container's. */
  readonly user?: string;
  readonly workingDirectory?: string;
  /** Its input can be written to. By default it is empty. */
  readonly stdin?: boolean;
  /** Gives it a terminal: then standard output and error are one stream. */
  readonly terminal?: boolean;
  /** Gives it all capabilities. */
  readonly privileged?: boolean;
}

export interface LogsOptions {
  /** Goes on with what is written from now on, until the container exits. */
  readonly follow?: boolean;
  /** Only so many lines from the end; by default all that were kept. */
  readonly tail?: number;
  readonly since?: Date;
  readonly until?: Date;
  /** Each line begins with its time (RFC 3339, UTC). */
  readonly timestamps?: boolean;
}

/** The exit of a program that nobody is attached to any more is asked for this often. */
const pollMs = 100;

export class Container {
  /** 64 hexadecimal digits, or the name that was given to `Orlop.container`. */
  readonly id: string;
  readonly #client: EngineClient;

  constructor(client: EngineClient, id: string) {
    this.#client = client;
    this.id = id;
  }

  /** Starts its program. A container that runs stays as it is. @throws {EngineError} 404: no such container; 400, 409, 500: why not */
  start(): Promise<void> {
    return this.#client.containers.start(this.id);
  }

  /**
   * Asks its program to end (SIGTERM, or the image's stop signal), and kills it when it does not.
   *
   * @param timeoutSeconds  until it is killed, by default 10 or what the container says; -1: never
   */
  stop(timeoutSeconds?: number): Promise<void> {
    return this.#client.containers.stop(this.id, timeoutSeconds);
  }

  /** Sends a signal, e.g. "HUP" or "SIGHUP". @throws {EngineError} 409: it does not run */
  kill(signal = "KILL"): Promise<void> {
    return this.#client.containers.kill(this.id, signal);
  }

  /**
   * Removes it, and what it wrote. Named volumes stay.
   *
   * @param options  force: even if it runs; volumes: also those that were made for it without a name
   * @throws {EngineError} 404: no such container; 409: it runs
   */
  remove(options: { readonly force?: boolean; readonly volumes?: boolean } = {}): Promise<void> {
    return this.#client.containers.remove(this.id, options);
  }

  /** Its exit code, once it does not run. One that was not started yet has 0. */
  wait(): Promise<number> {
    return this.#exit("not-running").then((exited) => exited());
  }

  /** All that the engine says of it, in Docker's spelling; the type names what programs most often ask for. */
  inspect(): Promise<ContainerInspection> {
    return this.#client.containers.inspect(this.id);
  }

  /** Where a published port is reached on the machine; undefined when it is not published, or the container does not run. */
  async publishedPort(
    port: number,
    protocol: PublishedPort["protocol"] = "tcp",
  ): Promise<{ readonly address: string; readonly port: number } | undefined> {
    const { NetworkSettings } = await this.inspect();
    const first = NetworkSettings?.Ports?.[portKey({ port, protocol })]?.[0];
    return first === undefined ? undefined : { address: first.HostIp, port: Number(first.HostPort) };
  }

  /**
   * Takes part in the streams of its own program. Done before `start`, nothing is missed.
   * After an engine's death the output of a container is whole in `logs` alone.
   */
  async attach(): Promise<ContainerProcess> {
    const { containers } = this.#client;
    const { Config, HostConfig, State } = await this.inspect();
    const streams = { stdin: Config.OpenStdin, stdout: true, stderr: true };
    const [attached, exited] = await Promise.all([
      containers.attach(this.id, streams),
      this.#exit(HostConfig.AutoRemove ? "removed" : State.Status === "exited" ? "not-running" : "next-exit"),
    ]);
    const resize = (rows: number, columns: number) => containers.resize(this.id, rows, columns);
    return new ContainerProcess({ attached, stdin: Config.OpenStdin, terminal: Config.Tty, exited, resize });
  }

  /**
   * Starts a further program in the running container.
   *
   * @param command  the program and its arguments; no shell reads it
   * @throws {EngineError} 404: no such container; 409: it does not run; 400: the program cannot be run
   */
  async exec(command: readonly string[], options: ExecOptions = {}): Promise<ContainerProcess> {
    const { execs } = this.#client;
    const { stdin = false, terminal = false, user, workingDirectory } = options;
    const { Id } = await execs.create(this.id, {
      AttachStdin: stdin,
      AttachStdout: true,
      AttachStderr: true,
      Tty: terminal,
      Cmd: command,
      Env: Object.entries(options.env ?? {}).map(([name, value]) => `${name}=${value}`),
      Privileged: options.privileged ?? false,
      ...(user === undefined ? {} : { User: user }),
      ...(workingDirectory === undefined ? {} : { WorkingDir: workingDirectory }),
    });
    const attached = await execs.attach(Id, terminal);
    const resize = (rows: number, columns: number) => execs.resize(Id, rows, columns);
    return new ContainerProcess({ attached, stdin, terminal, resize, exited: () => this.#exitOfExec(Id) });
  }

  /** What its program has written, from the container's log. Leaving the loop early ends the reading. */
  async *logs(options: LogsOptions = {}): AsyncGenerator<OutputPiece, void> {
    const { Config } = await this.inspect();
    const bytes = await this.#client.containers.logs(this.id, {
      stdout: true,
      stderr: true,
      follow: options.follow ?? false,
      timestamps: options.timestamps ?? false,
      ...(options.tail === undefined ? {} : { tail: String(options.tail) }),
      ...(options.since === undefined ? {} : { since: unixSeconds(options.since) }),
      ...(options.until === undefined ? {} : { until: unixSeconds(options.until) }),
    });
    yield* readOutput(bytes, Config.Tty);
  }

  /** A path of the container, and all that is below it, as a tar archive. @throws {EngineError} 404: no such container or path */
  async *readArchive(path: string): AsyncGenerator<Uint8Array, void> {
    yield* (await this.#client.containers.getArchive(this.id, path)).archive;
  }

  /** Unpacks a tar archive into a directory of the container. @throws {EngineError} 404: no such container or directory */
  writeArchive(directory: string, archive: AsyncIterable<Uint8Array>): Promise<void> {
    return this.#client.containers.putArchive(this.id, directory, archive, false);
  }

  /** Begins to wait now. The engine that is asked may die meanwhile: the next one knows how a container ended, if it is still there. */
  async #exit(condition: WaitCondition): Promise<() => Promise<number>> {
    const { exit } = await this.#client.containers.wait(this.id, condition);
    const exited = exit().catch(async (error: unknown) => {
      if (!isLost(error)) throw error;
      return fromNextEngine(async () => (await this.#client.containers.wait(this.id, "not-running")).exit());
    });
    exited.catch(() => undefined); // told to whoever asks for it
    return () => exited.then(({ StatusCode }) => StatusCode);
  }

  /** Its output has ended, so it has too, or will soon; or its reader has left it. */
  async #exitOfExec(id: string): Promise<number> {
    for (;;) {
      const { ExitCode } = await fromNextEngine(() => this.#client.execs.inspect(id));
      if (ExitCode !== null) return ExitCode;
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
  }
}

function unixSeconds(time: Date): string {
  return (time.getTime() / 1000).toFixed(3);
}
