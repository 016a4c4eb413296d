/** The real netd: a connection to netd.sock. When it breaks, it is made again and all requests are repeated. */

import type { Socket } from "node:net";
import { join } from "node:path";
import { log } from "../base/log.ts";
import { settleable } from "../base/settleable.ts";
import { connectUnix } from "./connect-unix.ts";
import { errnoName } from "./executor.ts";
import { type Answer, encodeHello, FrameDecoder } from "./frame.ts";
import type { HeldPorts, HostChange, Netd, NetdState, Resolver, ScopedNames } from "./netd.ts";
import {
  decodeChange,
  encodeHold,
  encodeNames,
  encodeNetdRequest,
  encodeResolver,
  encodeWatchRules,
} from "./netd-frame.ts";
import { againOf, explainRefusal, type Pending, type Refusal, type Wish } from "./netd-wish.ts";
import { lost, startNetd } from "./start-netd.ts";

/** How often a netd that dies while the requests are repeated is started again. */
const ATTEMPTS = 5;

/**
 * A netd that is ending refuses connections while its lock still says that it runs, because the kernel closes the files of a process
 * one by one. On a busy machine that takes a while.
 */
const ENDING_MS = 2000;

/** The answer when no netd runs: to STATE, and to requests that something be released. */
const nothingHeld = new Uint8Array(20);

export class NetdLink implements Netd {
  onChange: (change: HostChange) => void = () => undefined;
  readonly #runDirectory: string;
  readonly #wishes = new Map<string, Wish>();
  /** Requests that were not sent yet: before `sync`, or without a connection. */
  #waiting: Pending[] = [];
  readonly #sent = new Map<number, Pending>();
  #socket: Socket | undefined;
  #connecting: Promise<void> | undefined;
  #isSynced = false;
  #isDisposed = false;
  #lastRequest = 0;

  constructor(runDirectory: string) {
    this.#runDirectory = runDirectory;
  }

  async hold(owner: string, ports: readonly HeldPorts[]): Promise<void> {
    const wish: Wish = { kind: "HOLD", payload: encodeHold(owner, ports), owner, ports };
    await this.#tell(`ports ${owner}`, wish, ports.length > 0);
  }

  async resolve(owner: string, resolver: Resolver | undefined): Promise<number> {
    const key = `resolver ${owner}`;
    const wishFor = (wanted: Resolver | undefined): Wish => ({
      kind: "RESOLVER",
      payload: encodeResolver(owner, wanted),
      owner,
      ports: [],
    });
    const wish = wishFor(resolver);
    const answer = await this.#tell(key, wish, resolver !== undefined);
    if (resolver === undefined) return 0;
    const port = new DataView(answer.buffer, answer.byteOffset).getUint16(0, true);
    // A restarted netd has to take the same port.
    if (this.#wishes.get(key) === wish) this.#wishes.set(key, wishFor({ ...resolver, port }));
    return port;
  }

  async name(scope: string, owner: string, names: ScopedNames | undefined): Promise<void> {
    const wish: Wish = { kind: "NAMES", payload: encodeNames(scope, owner, names), owner, ports: [] };
    await this.#tell(`names ${scope} ${owner}`, wish, names !== undefined);
  }

  async watchRules(table: string | undefined): Promise<void> {
    const wish: Wish = { kind: "WATCH_RULES", payload: encodeWatchRules(table), owner: "the watch", ports: [] };
    await this.#tell("watch", wish, table !== undefined);
  }

  /** @param isWanted false: the wish withdraws an earlier one */
  async #tell(key: string, wish: Wish, isWanted: boolean): Promise<Uint8Array> {
    if (isWanted) this.#wishes.set(key, wish);
    else {
      this.#wishes.delete(key);
      if (await this.#isNeedless()) return nothingHeld;
    }
    return this.#ask({ kind: wish.kind, payload: wish.payload, wish: { key, wish }, settle: settleable() });
  }

  async state(): Promise<NetdState> {
    const value = (await this.#isNeedless())
      ? nothingHeld
      : await this.#ask({ kind: "STATE", payload: new Uint8Array(0), settle: settleable() });
    const view = new DataView(value.buffer, value.byteOffset);
    const number = (index: number): number => view.getUint32(4 * index, true);
    return { owners: number(0), ports: number(1), relays: number(2), resolvers: number(3), named: number(4) };
  }

  async sync(): Promise<void> {
    this.#isSynced = true;
    if (await this.#isNeedless()) return this.#answerNothing();
    await this.#connect();
  }

  [Symbol.dispose](): void {
    this.#isDisposed = true;
    this.#socket?.destroy();
    this.#reject(lost("the link to netd was closed"));
  }

  // ── requests ─────────────────────────────────────────────────────────────────────────────────────────────────────
  #ask(pending: Pending): Promise<Uint8Array> {
    if (this.#socket !== undefined) this.#send(this.#socket, pending);
    else {
      this.#waiting.push(pending);
      if (this.#isSynced) this.#connect().catch(() => undefined); // the pending ones were rejected with the reason
    }
    return pending.settle.promise;
  }

  #send(socket: Socket, pending: Pending): void {
    const request = ++this.#lastRequest;
    this.#sent.set(request, pending);
    socket.write(encodeNetdRequest(pending.kind, request, pending.payload));
  }

  /** Nothing is wanted and no netd runs, so waiting requests, which can only release something, are done. */
  #answerNothing(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { settle } of waiting) settle.resolve(nothingHeld);
  }

  #take(answer: Answer): void {
    if (answer.kind === "CHANGED") this.onChange(decodeChange(answer.what));
    if (answer.kind !== "VALUE" && answer.kind !== "FAILED") return;
    const pending = this.#sent.get(answer.step);
    if (pending === undefined)
      throw new Error(answer.kind === "FAILED" ? answer.detail : `an answer to ${answer.step}`);
    this.#sent.delete(answer.step);
    if (answer.kind === "VALUE") pending.settle.resolve(answer.value);
    else this.#refuse(pending, { errno: errnoName(answer.errno), detail: answer.detail });
  }

  #refuse(pending: Pending, refusal: Refusal): void {
    const { wish: wanted } = pending;
    if (wanted !== undefined && this.#wishes.get(wanted.key) === wanted.wish) this.#wishes.delete(wanted.key);
    pending.settle.reject(explainRefusal(pending, refusal, this.#wishes.values()));
  }

  // ── the connection ───────────────────────────────────────────────────────────────────────────────────────────────
  #connect(): Promise<void> {
    this.#connecting ??= this.#tellEverything()
      .catch((error: unknown) => {
        this.#reject(error as Error);
        throw error;
      })
      .finally(() => {
        this.#connecting = undefined;
      });
    return this.#connecting;
  }

  /** Sends SYNC, every wish, SYNC_END. A netd that dies meanwhile is started again. */
  async #tellEverything(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        const socket = await this.#open();
        await this.#tellAll(socket);
        return;
      } catch (error) {
        if (attempt === ATTEMPTS || this.#isDisposed) throw error;
      }
    }
  }

  async #tellAll(socket: Socket): Promise<void> {
    if (socket.destroyed) throw lost("netd closed the connection");
    const waiting = this.#waiting;
    this.#waiting = [];
    const begin: Pending = { kind: "SYNC", payload: new Uint8Array(0), settle: settleable() };
    this.#send(socket, begin);
    const asked = new Set(waiting.map(({ wish }) => wish?.wish));
    for (const [key, wish] of this.#wishes) if (!asked.has(wish)) this.#send(socket, againOf(key, wish));
    for (const pending of waiting) this.#send(socket, pending);
    const end: Pending = { kind: "SYNC_END", payload: new Uint8Array(0), settle: settleable() };
    this.#send(socket, end);
    this.#socket = socket;
    await end.settle.promise;
  }

  async #open(): Promise<Socket> {
    const socket = await this.#reach();
    this.#listen(socket);
    socket.write(encodeHello());
    return socket;
  }

  /** A connection to the netd that runs, or to the next one where that is ending. */
  async #reach(): Promise<Socket> {
    const lastMs = performance.now() + ENDING_MS;
    for (let pauseMs = 1; ; pauseMs *= 2) {
      await startNetd(this.#runDirectory);
      try {
        return await connectUnix(join(this.#runDirectory, "netd.sock"));
      } catch (error) {
        if (this.#isDisposed || performance.now() + pauseMs > lastMs) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }

  /** Whether nothing is wanted, and no netd runs that may hold something. */
  async #isNeedless(): Promise<boolean> {
    if (!this.#isSynced || this.#wishes.size > 0 || this.#socket !== undefined) return false;
    const socket = await connectUnix(join(this.#runDirectory, "netd.sock")).catch(() => undefined);
    socket?.destroy();
    return socket === undefined;
  }

  #listen(socket: Socket): void {
    const decoder = new FrameDecoder();
    const lose = (reason: string): void => this.#lose(socket, reason);
    socket.on("data", (chunk: Uint8Array) => {
      try {
        for (const answer of decoder.push(chunk)) this.#take(answer);
      } catch (error) {
        lose((error as Error).message);
      }
    });
    socket.on("error", (error) => lose(error.message));
    socket.on("end", () => lose("netd closed the connection"));
    socket.on("close", () => lose("the connection is closed"));
  }

  /** The connection broke: unanswered requests are sent again, together with all wishes. */
  #lose(socket: Socket, reason: string): void {
    socket.destroy();
    if (this.#isDisposed) return;
    if (this.#socket !== socket && this.#sent.size === 0) return;
    if (this.#socket === socket) this.#socket = undefined;
    for (const pending of this.#sent.values()) {
      if (pending.kind === "SYNC" || pending.kind === "SYNC_END") pending.settle.reject(lost(reason));
      else this.#waiting.push(pending);
    }
    this.#sent.clear();
    if (this.#wishes.size === 0 && this.#waiting.length === 0) return;
    log("warn", `netd is gone (${reason}): started again`);
    this.#connect().catch((error: unknown) => log("error", "netd", error));
  }

  #reject(error: Error): void {
    const pending = [...this.#sent.values(), ...this.#waiting];
    this.#sent.clear();
    this.#waiting = [];
    for (const { settle } of pending) settle.reject(error);
  }
}
