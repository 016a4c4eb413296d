/** A command that takes part in a container: its streams and signals, until the container exits or the user detaches. */
import { OrlopError } from "../base/errors.ts";
import { type AttachedContainer, type OutputPiece, readOutput } from "../client/attach.ts";
import type { ContainerExit, WaitCondition } from "../client/container-types.ts";
import { EngineError } from "../client/engine-error.ts";
import { isLost, resumeAttempts } from "../client/lost-engine.ts";
import type { Streams } from "./container-config.ts";
import type { CliContext } from "./context.ts";
import { DetachScanner, parseDetachKeys } from "./detach-keys.ts";
import { StartFailure } from "./exit-code.ts";
import { OutputProgress } from "./output-progress.ts";
import { proxySignals } from "./signals.ts";
import { openTerminal } from "./terminal-session.ts";

export interface SessionOptions {
  readonly id: string;
  readonly tty: boolean;
  readonly streams: Streams;
  readonly detachKeys: string;
  readonly sigProxy: boolean;
  readonly waitFor: WaitCondition;
  /** Starts the container, once we are attached; without it, it runs already. */
  readonly start?: () => Promise<void>;
}

export type SessionEnd =
  | { readonly kind: "exited"; readonly exit: ContainerExit }
  /** The user typed the detach keys. */
  | { readonly kind: "detached" };

/** One attach connection, and the wait that goes with it. */
interface Link {
  readonly attached: AttachedContainer;
  /** What the container writes. */
  readonly output: () => AsyncGenerator<OutputPiece, void>;
  readonly exit: () => Promise<ContainerExit>;
}

/** Attaches, waits, starts; then passes everything on. Nothing is missed: the engine holds both connections before the start. */
export function runSession(context: CliContext, options: SessionOptions): Promise<SessionEnd> {
  const { start, ...state } = options;
  context.keepResumable({ kind: "session", ...state, starts: start !== undefined });
  return new Session(context, options).run();
}

/** Goes on with a session of another process, which has passed on so many bytes. The container may run, or have exited, or not
 *  have been started yet. */
export function resumeSession(
  context: CliContext,
  options: SessionOptions,
  passed: { readonly stdout: number; readonly stderr: number },
): Promise<SessionEnd> {
  return new Session(context, options, passed).run();
}

class Session {
  readonly #context: CliContext;
  readonly #options: SessionOptions;
  readonly #progress: OutputProgress;
  readonly #isResumed: boolean;
  #link: Promise<Link>;

  constructor(
    context: CliContext,
    options: SessionOptions,
    passed?: { readonly stdout: number; readonly stderr: number },
  ) {
    this.#context = context;
    this.#options = options;
    this.#isResumed = passed !== undefined;
    this.#progress = new OutputProgress(passed);
    this.#link = this.#isResumed ? this.#connectAgain() : this.#connect(false, options.waitFor);
  }

  async run(): Promise<SessionEnd> {
    const { sigProxy, tty, streams } = this.#options;
    const signals = sigProxy ? proxySignals(this.#context, (signal) => this.#signal(signal)) : undefined;
    const link = await this.#link;
    // Read from now on: a container may write more than a socket holds before the engine has answered the start.
    const output = this.#passOutput(link);
    output.catch(() => undefined); // `follow` sees it; until then it is not unhandled
    const terminal = tty
      ? openTerminal(await this.#context.terminal(), streams.stdin, (rows, columns) =>
          this.#context.engine.containers.resize(this.#options.id, rows, columns),
        )
      : undefined;
    try {
      if (!this.#isResumed) await this.#start(link, output);
      signals?.open();
      terminal?.follow();
      return await Promise.race([this.#follow(link, output), streams.stdin ? this.#passInput() : never]);
    } finally {
      terminal?.close();
      signals?.stop();
    }
  }

  /** @param replay  begin with what the log has */
  async #connect(replay: boolean, waitFor: WaitCondition): Promise<Link> {
    const { id, streams, tty, detachKeys } = this.#options;
    const { containers } = this.#context.engine;
    const query = { ...streams, logs: replay, ...(tty ? { detachKeys } : {}) };
    const [attached, { exit }] = await Promise.all([containers.attach(id, query), containers.wait(id, waitFor)]);
    return { attached, output: () => attached.output(tty), exit };
  }

  async #start(link: Link, output: Promise<void>): Promise<void> {
    try {
      await this.#options.start?.();
    } catch (error) {
      // The engine died over it, and may have started the container or not: `follow` finds out.
      if (error instanceof StartFailure && isLost(error.cause)) return;
      link.attached.close();
      await output.catch(() => undefined); // there was none: it did not start
      if (this.#options.waitFor === "removed") await link.exit(); // a --rm container that did not start goes away by itself
      throw error;
    }
  }

  async #passOutput(link: Link): Promise<void> {
    for await (const piece of link.output()) {
      const fresh = this.#progress.take(piece.stream, piece.bytes);
      if (fresh.length > 0) await this.#context[piece.stream].write(fresh);
    }
  }

  /** Until the output is whole and the exit known, over as many engines as it takes. */
  async #follow(link: Link, output: Promise<void>): Promise<SessionEnd> {
    try {
      const [exit] = await Promise.all([link.exit(), output]);
      return { kind: "exited", exit };
    } catch (error) {
      if (!isLost(error)) throw error;
      link.attached.close();
      await output.catch(() => undefined); // it ends now; what did not come is asked for again
    }
    const next = await this.#resume();
    return this.#follow(next, this.#passOutput(next));
  }

  /** The engine was lost, the container was not: attach to the next engine, which replays the log. */
  async #resume(): Promise<Link> {
    this.#progress.replay();
    this.#link = this.#connectAgain();
    return this.#link;
  }

  async #connectAgain(): Promise<Link> {
    for (let attempt = 1; ; attempt++)
      try {
        const isCreated = (await this.#status()) === "created";
        const condition = isCreated ? "next-exit" : "not-running";
        const link = await this.#connect(true, this.#options.waitFor === "removed" ? "removed" : condition);
        if (isCreated) await this.#options.start?.();
        return (await this.#status()) === "running" ? link : this.#ended(link);
      } catch (error) {
        if (error instanceof EngineError && error.status === 404)
          throw OrlopError.of("exit_unknown", { id: this.#options.id }, error);
        const lost = isLost(error instanceof StartFailure ? error.cause : error);
        if (!lost || attempt === resumeAttempts) throw error;
      }
  }

  async #status(): Promise<string> {
    return (await this.#context.engine.containers.inspect(this.#options.id)).State.Status;
  }

  /** It exited while the engine was away. An attach to it would wait for its next start: what is left to read is its log. */
  #ended(link: Link): Link {
    const { id, tty, streams } = this.#options;
    const { containers } = this.#context.engine;
    link.attached.close();
    const output = async function* () {
      yield* readOutput(await containers.logs(id, { stdout: streams.stdout, stderr: streams.stderr }), tty);
    };
    return { ...link, output };
  }

  /** Standard input to the container, and its end as a half-close. Resolves only when the user detaches. */
  async #passInput(): Promise<SessionEnd> {
    const scanner = this.#options.tty ? new DetachScanner(parseDetachKeys(this.#options.detachKeys)) : undefined;
    for await (const bytes of this.#context.stdin()) {
      const { pass, detach } = scanner?.scan(bytes) ?? { pass: bytes, detach: false };
      if (pass.length > 0) await this.#input((attached) => attached.write(pass));
      if (!detach) continue;
      (await this.#link).attached.close();
      return { kind: "detached" };
    }
    await this.#input(async (attached) => attached.endInput());
    return never;
  }

  /** Gives something to the container's input; where the engine was lost, to the next one's. */
  async #input(give: (attached: AttachedContainer) => Promise<void>): Promise<void> {
    const link = this.#link;
    const { attached } = await link;
    try {
      await give(attached);
    } catch (error) {
      if (!attached.ended) throw error;
      // The container has exited, or the engine was lost: `follow` finds out which.
      if (this.#link !== link) await this.#input(give);
    }
  }

  async #signal(signal: string): Promise<void> {
    try {
      await this.#context.engine.containers.kill(this.#options.id, signal);
    } catch (error) {
      // It has exited meanwhile (409) or is gone (404): there is nobody left to signal. Anything else the user should know.
      if (error instanceof EngineError && (error.status === 409 || error.status === 404)) return;
      await this.#context.warn(`orlop: cannot pass ${signal} on: ${error instanceof Error ? error.message : error}`);
    }
  }
}

const never = new Promise<never>(() => undefined);
