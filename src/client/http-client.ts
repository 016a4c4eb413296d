/** HTTP/1.1 over injected byte streams: keep-alive connections, one request at a time on each, and hijacked ones. */
import { OrlopError } from "../base/errors.ts";
import { type Answer, type Exchange, joinBody } from "./answer.ts";
import { ByteReader } from "./byte-reader.ts";
import type { ByteStream } from "./byte-stream.ts";
import {
  bodyLength,
  encodeChunk,
  encodeRequest,
  type HttpHead,
  type HttpRequest,
  readBody,
  readHead,
} from "./http-message.ts";

/** One connection, and the reader that knows where in it we are. */
interface Connection {
  readonly stream: ByteStream;
  readonly reader: ByteReader;
  /** Whether it has carried a request before: the server may be closing it just now. */
  used: boolean;
}

export class HttpClient implements Exchange {
  readonly #open: () => Promise<ByteStream>;
  readonly #host: string;
  /** Ready or nearly ready for a request, the most recently used last. */
  readonly #idle: Promise<Connection>[] = [];
  #closed = false;

  /** @param host  for the Host header */
  constructor(open: () => Promise<ByteStream>, host: string) {
    this.#open = open;
    this.#host = host;
  }

  /** Opens a connection ahead of its request. A failure is told to the request that takes it. */
  openAhead(): void {
    const connection = this.#connect();
    connection.catch(() => undefined); // told again when it is taken
    this.#idle.unshift(connection);
  }

  /**
   * Sends a request and waits for the answer's head.
   *
   * @throws {OrlopError} engine_broke_off, when the connection ends without an answer
   */
  async send(request: HttpRequest): Promise<HttpResponse> {
    const connection = await this.#take();
    const repeatable = connection.used && (request.method === "GET" || request.method === "HEAD");
    const head = await this.#exchange(connection, request).catch((error: unknown) => {
      connection.stream.close();
      if (!repeatable) throw error;
      return undefined;
    });
    if (head !== undefined)
      return new HttpResponse(request.method, head, connection, (whole) => this.#giveBack(connection, whole));
    connection.stream.close();
    // A server may close an idle connection at the moment we use it; what only reads can safely be asked again.
    if (repeatable) return this.send(request);
    throw OrlopError.of("engine_broke_off", { reason: `no answer to ${request.method} ${pathOf(request)}` });
  }

  /** Closes every idle connection; those in use close when they are given back. */
  close(): void {
    this.#closed = true;
    for (const connection of this.#idle.splice(0))
      connection.then((idle) => idle.stream.close()).catch(() => undefined); // never opened
  }

  async #exchange(connection: Connection, request: HttpRequest): Promise<HttpHead | undefined> {
    connection.used = true;
    if (request.stream !== undefined) return this.#upload(connection, request, request.stream);
    const sent = connection.stream.write(encodeRequest(request, this.#host)).catch((error: unknown) => {
      throw OrlopError.of(
        "engine_broke_off",
        { reason: String(error instanceof Error ? error.message : error) },
        error,
      );
    });
    const answered = readFinalHead(connection.reader);
    const [head] = await Promise.all([answered, sent]);
    return head;
  }

  /** An answer may come before the body is sent: then the rest is not wanted, and the connection is not used again. */
  async #upload(
    connection: Connection,
    request: HttpRequest,
    body: AsyncIterable<Uint8Array>,
  ): Promise<HttpHead | undefined> {
    const answered = readFinalHead(connection.reader);
    const wanted = new AbortController();
    let isWhole = false;
    const sending = this.#sendBody(connection.stream, request, body, wanted.signal).then((whole) => {
      isWhole = whole;
    });
    const failed = new Promise<never>((_, reject) => {
      sending.catch(reject); // our own source's error: nobody else would tell it
    });
    const head = await Promise.race([answered, failed]);
    wanted.abort();
    if (isWhole || head === undefined) return head;
    return { ...head, headers: new Map([...head.headers, ["connection", "close"]]) };
  }

  /** @returns false when it was stopped, or the connection lost: the answer says why. What the source throws passes through */
  async #sendBody(
    stream: ByteStream,
    request: HttpRequest,
    body: AsyncIterable<Uint8Array>,
    wanted: AbortSignal,
  ): Promise<boolean> {
    const write = (bytes: Uint8Array): Promise<boolean> =>
      stream.write(bytes).then(
        () => !wanted.aborted,
        () => false,
      );
    if (!(await write(encodeRequest(request, this.#host)))) return false;
    for await (const piece of body) if (piece.length > 0 && !(await write(encodeChunk(piece)))) return false;
    return write(encodeChunk(new Uint8Array(0)));
  }

  async #take(): Promise<Connection> {
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      const connection = await idle;
      if (!connection.stream.ended) return connection;
      connection.stream.close();
    }
    return this.#connect();
  }

  async #connect(): Promise<Connection> {
    const stream = await this.#open();
    return { stream, reader: new ByteReader(stream), used: false };
  }

  #giveBack(connection: Connection, whole: boolean): void {
    if (whole && !this.#closed) this.#idle.push(Promise.resolve(connection));
    else connection.stream.close();
  }
}

/** The answer's head, past 100 Continue and its like. 101 is final: the connection is ours from there. */
async function readFinalHead(reader: ByteReader): Promise<HttpHead | undefined> {
  for (;;) {
    const head = await readHead(reader);
    if (head === undefined || head.status === 101 || head.status >= 200) return head;
  }
}

function pathOf(request: HttpRequest): string {
  return request.target.split("?")[0] ?? "";
}

/** An answer whose body is still on its connection. */
class HttpResponse implements Answer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly #connection: Connection;
  readonly #method: string;
  readonly #giveBack: (whole: boolean) => void;

  constructor(method: string, head: HttpHead, connection: Connection, giveBack: (whole: boolean) => void) {
    this.status = head.status;
    this.headers = head.headers;
    this.#method = method;
    this.#connection = connection;
    this.#giveBack = giveBack;
  }

  async *stream(): AsyncGenerator<Uint8Array, void> {
    const length = bodyLength(this.#method, this);
    const keep = length.kind !== "until-close" && !/\bclose\b/i.test(this.headers.get("connection") ?? "");
    let whole = false;
    try {
      yield* readBody(this.#connection.reader, length);
      whole = true;
    } finally {
      this.#giveBack(whole && keep);
    }
  }

  bytes(): Promise<Uint8Array> {
    return joinBody(this.stream());
  }

  async text(): Promise<string> {
    return new TextDecoder().decode(await this.bytes());
  }

  hijack(): ByteStream {
    const { stream, reader } = this.#connection;
    return {
      get ended() {
        return stream.ended;
      },
      read: () => reader.some(),
      write: (bytes) => stream.write(bytes),
      endWrite: () => stream.endWrite(),
      close: () => stream.close(),
    };
  }
}
