/** One row of the table of routes: method, path, Docker's operation name, parsers of its parameters, handler. */

import type { Duplex } from "node:stream";
import type { Engine } from "../engine/engine.ts";
import type { Explained } from "../engine/explain.ts";
import type { ParseParameter } from "./query.ts";
import type { Reply } from "./reply.ts";

export type Method = "GET" | "HEAD" | "POST" | "PUT" | "DELETE";

/** "/containers/:id/kill" has a parameter `id`; "/images/*name/json" one that may have slashes in it. */
type PathParameters<Path extends string> = Path extends `${string}*${infer Name}/${string}`
  ? { readonly [K in Name]: string }
  : Path extends `${string}*${infer Name}`
    ? { readonly [K in Name]: string }
    : PartParameters<Path>;

type PartParameters<Path extends string> = Path extends `${string}:${infer Name}/${infer Rest}`
  ? { readonly [K in Name]: string } & PartParameters<Rest>
  : Path extends `${string}:${infer Name}`
    ? { readonly [K in Name]: string }
    : object;

type QueryShape = Readonly<Record<string, ParseParameter<unknown>>>;
type QueryValues<Q extends QueryShape> = { readonly [K in keyof Q]: Q[K] extends ParseParameter<infer T> ? T : never };

/** Runs a command for a launcher. Resolves when the command has ended, or its client is gone. */
export type RunCommand = (client: Duplex) => Promise<void>;

export interface Call<Params, Query> {
  readonly params: Params;
  readonly query: Query;
  /** The JSON of the body; undefined where the route takes none. */
  readonly body: unknown;
  readonly engine: Engine;
  /** The X-Registry-Auth header, not decoded. */
  readonly registryAuth: string | undefined;
  /** The body of a route that takes a stream, with back-pressure. */
  readonly upload: AsyncIterable<Uint8Array>;
  /** Aborted when the client closes the connection. */
  readonly signal: AbortSignal;
  /** The Accept header; "" without one. */
  readonly accept: string;
  /** Runs an `orlop` command for the client of this connection; undefined if this server does not support that. */
  readonly runCommand: RunCommand | undefined;
  /** The Upgrade header. */
  readonly protocol: string | undefined;
  /** The client's API version, its minor part: 51 for v1.51. */
  readonly apiMinor: number;
}

export interface Route {
  readonly method: Method;
  readonly path: string;
  /** The operation in Docker's API description. */
  readonly operation: string;
  readonly query: QueryShape;
  /** Whether the route reads a body: true for JSON, "stream" for raw bytes. */
  readonly body: boolean | "stream";
  readonly handle: (call: Call<never, never>) => Reply | Promise<Reply>;
  readonly explain?: (call: Call<never, never>) => Promise<Explained>;
}

interface RouteInput<Path extends string, Q extends QueryShape> {
  readonly method: Method;
  readonly path: Path;
  readonly operation: string;
  readonly query?: Q;
  readonly body?: boolean | "stream";
  readonly handle: (call: Call<PathParameters<Path>, QueryValues<Q>>) => Reply | Promise<Reply>;
  /** What `handle` would have the executor do, from the same planner. It changes nothing. */
  readonly explain?: (call: Call<PathParameters<Path>, QueryValues<Q>>) => Promise<Explained>;
}

export function route<const Path extends string, const Q extends QueryShape = Record<never, never>>(
  input: RouteInput<Path, Q>,
): Route {
  return { query: {}, body: false, ...input } as unknown as Route;
}
