/** The typed client of the Engine API. Works with any engine that speaks it, and needs nothing but a byte stream. */
import { OrlopError } from "../base/errors.ts";
import { formatAddress } from "./address.ts";
import type { Answer, Exchange } from "./answer.ts";
import type { Address, ByteStream, Connect } from "./byte-stream.ts";
import { ContainersClient } from "./containers-client.ts";
import { EngineError } from "./engine-error.ts";
import { ExecsClient } from "./execs-client.ts";
import { explainingExchange } from "./explaining-exchange.ts";
import { HttpClient } from "./http-client.ts";
import { ImagesClient } from "./images-client.ts";
import type { Launch } from "./launch.ts";
import { NetworksClient } from "./networks-client.ts";
import { SystemClient } from "./system-client.ts";
import { connectFailure, nobodyListens } from "./system-error.ts";
import { VolumesClient } from "./volumes-client.ts";

export interface EngineOptions {
  readonly address: Address;
  /** By default node:net. */
  readonly connect?: Connect;
  /** How to start an engine where none listens; without it that is an error. */
  readonly launch?: Launch;
  /** Another way than HTTP over connections: of an engine in this process. */
  readonly exchange?: Exchange;
}

/** A query's values; undefined ones are left out. */
export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Call {
  readonly method: "GET" | "POST" | "DELETE" | "HEAD" | "PUT";
  /** Without a version, e.g. "/containers/json": the engine then speaks its own, and needs no round trip to agree on one. */
  readonly path: string;
  readonly query?: Query;
  /** Sent as JSON. */
  readonly json?: unknown;
  /** A body as it comes, e.g. an archive; instead of `json`. */
  readonly upload?: AsyncIterable<Uint8Array>;
  readonly headers?: Readonly<Record<string, string>>;
}

const encoder = new TextEncoder();

export class EngineClient {
  readonly address: Address;
  readonly containers: ContainersClient;
  readonly images: ImagesClient;
  readonly execs: ExecsClient;
  readonly system: SystemClient;
  readonly networks: NetworksClient;
  readonly volumes: VolumesClient;
  readonly #exchange: Exchange;

  constructor(options: EngineOptions) {
    this.address = options.address;
    // HTTP needs a Host; engines on a unix socket do not look at it.
    const host = options.address.kind === "unix" ? "orlop" : formatAddress(options.address).slice("tcp://".length);
    this.#exchange = options.exchange ?? new HttpClient(() => openEngine(options), host);
    this.containers = new ContainersClient(this);
    this.images = new ImagesClient(this);
    this.execs = new ExecsClient(this);
    this.system = new SystemClient(this);
    this.networks = new NetworksClient(this);
    this.volumes = new VolumesClient(this);
  }

  /**
   * Asks for something; an answer of 400 or more becomes an error.
   *
   * @throws {EngineError} what the engine said
   * @throws {OrlopError} engine_unreachable, engine_broke_off
   */
  async call(call: Call): Promise<Answer> {
    const body = call.json === undefined ? undefined : encoder.encode(JSON.stringify(call.json));
    const response = await this.#exchange.send({
      method: call.method,
      target: `${call.path}${encodeQuery(call.query ?? {})}`,
      headers: { ...(body === undefined ? {} : { "Content-Type": "application/json" }), ...call.headers },
      ...(body === undefined ? {} : { body }),
      ...(call.upload === undefined ? {} : { stream: call.upload }),
    });
    if (response.status >= 400) throw await EngineError.from(response);
    return response;
  }

  /** Asks for something whose answer is JSON. The engine's word is taken for its shape. */
  async json<T>(call: Call): Promise<T> {
    return JSON.parse(await (await this.call(call)).text()) as T;
  }

  /** Asks for something whose answer says nothing more. */
  async done(call: Call): Promise<void> {
    await (await this.call(call)).bytes();
  }

  /** One whose requests are explained instead of carried out: the first of them throws its plan. Questions are asked. */
  explaining(): EngineClient {
    return new EngineClient({ address: this.address, exchange: explainingExchange(this.#exchange) });
  }

  /** Opens a connection that the next request will find ready. */
  openAhead(): void {
    this.#exchange.openAhead();
  }

  close(): void {
    this.#exchange.close();
  }
}

async function openEngine(options: EngineOptions): Promise<ByteStream> {
  const connect = options.connect ?? (await import("./node-stream.ts")).connectWithNode;
  const open = () => connect(options.address);
  const host = formatAddress(options.address);
  try {
    return await open().catch(async (error: unknown) => {
      if (options.launch === undefined || !nobodyListens(error)) throw error;
      return (await import("./launch.ts")).launchAndConnect(open, options.launch, host);
    });
  } catch (error) {
    if (error instanceof OrlopError) throw error;
    throw OrlopError.of("engine_unreachable", { host, reason: connectFailure(error) }, error);
  }
}

/** `?all=1&limit=5`; true is 1, false and undefined are left out. */
export function encodeQuery(query: Query): string {
  const pairs = Object.entries(query)
    .filter(([, value]) => value !== undefined && value !== false)
    .map(([name, value]) => `${name}=${value === true ? "1" : encodeURIComponent(String(value))}`);
  return pairs.length === 0 ? "" : `?${pairs.join("&")}`;
}
