/** Orlop in a program: `import { openOrlop } from "orlop"`. docs/embedding.md has it at work. */
import { OrlopError } from "../base/errors.ts";
import { chosenAddress, defaultPlaces, parseAddress, socketOf } from "../client/address.ts";
import type { Address, ByteStream, Connect } from "../client/byte-stream.ts";
import type { ContainerSummary } from "../client/container-types.ts";
import { encodeLogin } from "../client/docker-config.ts";
import { EngineClient, type EngineOptions } from "../client/engine-client.ts";
import { EngineError } from "../client/engine-error.ts";
import type { ExplainedPlan } from "../client/explained-plan.ts";
import type { ImageSummary, ProgressMessage } from "../client/image-types.ts";
import { connectWithNode } from "../client/node-stream.ts";
import { authFor } from "../client/registry-auth.ts";
import type { EngineVersion } from "../client/system-client.ts";
import { nobodyListens } from "../client/system-error.ts";
import { tagToPull } from "../client/tag-to-pull.ts";
import { parseReference } from "../spec/reference.ts";
import { Container } from "./container.ts";
import { type ContainerOptions, createBody } from "./container-options.ts";
import type { ContainerProcess, Finished } from "./container-process.ts";
import { ownProgram, startEngine } from "./start-engine.ts";

export type { OutputPiece } from "../client/attach.ts";
export type { ContainerCreate, ContainerInspection, ContainerSummary } from "../client/container-types.ts";
export type { ExplainedPlan, ExplainedStep } from "../client/explained-plan.ts";
export type { ImageSummary, ProgressMessage } from "../client/image-types.ts";
export type { ExecOptions, LogsOptions } from "./container.ts";
export type { ContainerOptions, MountOption, PublishedPort } from "./container-options.ts";
export type { ContainerProcess, Finished } from "./container-process.ts";
export { Container, EngineClient, EngineError, OrlopError };

export interface OpenOptions {
  /**
   * An engine that somebody else runs: "unix:///PATH" or "tcp://HOST:PORT". By default the one that `orlop` commands of this user
   * talk to (`ORLOP_HOST`, or the system's), which is started where it does not run.
   */
  readonly host?: string;
  /** Folders of an engine of one's own, beside the system's: sockets, and what a reboot may lose. By default /run/orlop. */
  readonly runDir?: string;
  /** Images, containers, volumes. By default /var/lib/orlop. */
  readonly stateDir?: string;
  /** The `orlop` program that starts an engine. By default this package's, which a program that was bundled has to name. */
  readonly program?: string;
  /** Told each line that the program says while it builds itself (once) and starts the engine. By default nobody is told. */
  readonly onMessage?: (line: string) => void;
}

export interface PullOptions {
  /** "OS/ARCHITECTURE[/VARIANT]"; by default this machine's. */
  readonly platform?: string;
  /** By default what `orlop login` or `docker login` have kept for this user. */
  readonly login?: { readonly username: string; readonly password: string };
  /** Told how it goes, in Docker's messages. */
  readonly onProgress?: (message: ProgressMessage) => void;
  /** Gives the pull up when it is aborted. What has come is kept for the next one. */
  readonly signal?: AbortSignal;
}

export interface CreateOptions extends ContainerOptions {
  /** Whether an image that is not here is pulled; by default "missing". */
  readonly pull?: "missing" | "never";
  /** Gives up the pull of a missing image when it is aborted. */
  readonly signal?: AbortSignal;
}

export interface RunOptions extends Omit<CreateOptions, "autoRemove" | "stdin"> {
  /** The program's standard input; by default it is empty. */
  readonly input?: string | Uint8Array;
  /** Gives up the pull of a missing image, or kills the container, when it is aborted. */
  readonly signal?: AbortSignal;
}

/**
 * Connects to an engine, and starts it where none runs (which needs root).
 *
 * @throws {OrlopError} engine_unreachable: nobody listens, or it cannot be started; bad_value: `host` is no address
 */
export async function openOrlop(options: OpenOptions = {}): Promise<Orlop> {
  const defaults = defaultPlaces(process.env, process.getuid?.() ?? 0);
  const places = { runDir: options.runDir ?? defaults.runDir, stateDir: options.stateDir ?? defaults.stateDir };
  const isOurs = options.runDir !== undefined || options.stateDir !== undefined;
  const given = options.host === undefined ? undefined : parseAddress(options.host, "host");
  const chosen = given ?? (isOurs ? undefined : chosenAddress(undefined, process.env));
  const start = () =>
    startEngine({
      ...places,
      program: options.program ?? ownProgram(),
      onMessage: options.onMessage ?? (() => undefined),
    });
  const orlop = new Orlop({
    address: chosen ?? socketOf(places.runDir),
    connect: chosen === undefined ? connectStarting(start) : connectWithNode,
  });
  await orlop.client.system.ping();
  return orlop;
}

/** Connects; where nobody listens, starts the engine first, once for all who wait. */
function connectStarting(start: () => Promise<void>): Connect {
  let starting: Promise<void> | undefined;
  return async (address: Address) => {
    try {
      return await connectWithNode(address);
    } catch (error) {
      if (!nobodyListens(error)) throw error;
    }
    starting ??= start().finally(() => {
      starting = undefined;
    });
    await starting;
    return connectWithNode(address);
  };
}

/** An engine. All methods reject with an `EngineError` (what it answered) or an `OrlopError` (it could not be asked). */
export class Orlop {
  /** The whole Engine API in Docker's spelling, for what has no method here: networks, volumes, events, commits. */
  readonly client: EngineClient;
  readonly #way: Required<Pick<EngineOptions, "address" | "connect">>;

  /** @param way  to the engine; see `openOrlop`, which starts one */
  constructor(way: Required<Pick<EngineOptions, "address" | "connect">>) {
    this.#way = way;
    this.client = new EngineClient(way);
  }

  /** Runs a program in a new container to its end, and removes the container. @throws the signal's reason, when it was aborted */
  async run({ input, signal, ...options }: RunOptions): Promise<Finished> {
    signal?.throwIfAborted();
    const given = signal === undefined ? {} : { signal };
    const container = await this.create({ ...options, ...given, autoRemove: true, stdin: input !== undefined });
    const remove = () => void container.remove({ force: true }).catch(() => undefined); // it is gone already
    signal?.addEventListener("abort", remove);
    let attached: ContainerProcess | undefined;
    try {
      signal?.throwIfAborted();
      attached = await container.attach();
      await container.start();
      const finished = await attached.finish(input);
      signal?.throwIfAborted();
      return finished;
    } catch (error) {
      attached?.close();
      remove();
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener("abort", remove);
    }
  }

  /** Makes a container, and does not start it. @throws {EngineError} 404: no such image; 409: the name is in use; 400: bad options */
  async create({ pull = "missing", signal, ...options }: CreateOptions): Promise<Container> {
    const body = createBody(options);
    const create = () => this.client.containers.create(body, options.name);
    const created = await create().catch(async (error: unknown) => {
      const isMissing = error instanceof EngineError && error.status === 404 && body.Image !== undefined;
      if (!isMissing || pull === "never") throw error;
      await this.pull(body.Image as string, signal === undefined ? {} : { signal });
      return create();
    });
    return new Container(this.client, created.Id);
  }

  /** The container of this name or id (or its beginning). Nothing is asked: the first method that is called finds out if it is there. */
  container(nameOrId: string): Container {
    return new Container(this.client, nameOrId);
  }

  /** Containers, the newest first. @param options  all: those that do not run too */
  containers(options: { readonly all?: boolean } = {}): Promise<readonly ContainerSummary[]> {
    return this.client.containers.list(options);
  }

  /**
   * Fetches an image, or what is new of it.
   *
   * @throws {OrlopError} remote_failure: what went wrong; bad_reference
   * @throws the signal's reason, when it was aborted
   */
  async pull(image: string, { platform, login, onProgress, signal }: PullOptions = {}): Promise<void> {
    const { host } = parseReference(image);
    const credentials =
      login === undefined
        ? await authFor(image, process.env)
        : { auth: encodeLogin({ ...login, serveraddress: host }) };
    const tag = tagToPull(image);
    await this.#abortable(signal, async ({ images }) => {
      const messages = images.pull(image, {
        ...(tag === undefined ? {} : { tag }),
        ...(platform === undefined ? {} : { platform }),
        ...credentials,
      });
      for await (const message of messages) onProgress?.(message);
    });
  }

  /** Work whose connections are cut when the signal is aborted. The engine gives up what nobody waits for. */
  async #abortable(signal: AbortSignal | undefined, work: (client: EngineClient) => Promise<void>): Promise<void> {
    if (signal === undefined) return work(this.client);
    signal.throwIfAborted();
    const streams: ByteStream[] = [];
    const connect: Connect = async (address) => {
      const stream = await this.#way.connect(address);
      streams.push(stream);
      if (signal.aborted) stream.close();
      return stream;
    };
    const client = new EngineClient({ ...this.#way, connect });
    const cut = () => {
      for (const stream of streams) stream.close();
    };
    signal.addEventListener("abort", cut);
    try {
      await work(client);
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    } finally {
      signal.removeEventListener("abort", cut);
      client.close();
    }
    signal.throwIfAborted();
  }

  images(): Promise<readonly ImageSummary[]> {
    return this.client.images.list();
  }

  /** The start of such a container as the list of system calls that it would be, each with its reason. Nothing is made. */
  explain(options: ContainerOptions): Promise<ExplainedPlan> {
    return this.client.containers.explain(createBody(options));
  }

  version(): Promise<EngineVersion> {
    return this.client.system.version();
  }

  /** Gives up the connections, which would keep this process running. Containers stay as they are. */
  close(): void {
    this.client.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }
}
