/** One row of the table of routes: method, path, Docker's operation name, what its parameters mean, what it does. */

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

/** Resolves when the command has ended, or its client is gone. */
export type RunCommand = (client: Duplex) => Promise<void>;

export interface Call<Params, Query> {
  readonly params: Params;
  readonly query: Query;
  /** The JSON of the body; undefined where the route takes none. */
  readonly body: unknown;
  readonly engine: Engine;
  /** X-Registry-Auth, as it came. */
  readonly registryAuth: string | undefined;
  /** The body of a route that takes a stream, at the route's pace. */
  readonly upload: AsyncIterable<Uint8Array>;
  /** Aborted when the client leaves. */
  readonly signal: AbortSignal;
  /** What kinds of answer the client takes: its Accept header, "" without one. */
  readonly accept: string;
  /** Runs a command of Orlop's for the client of this connection; undefined where nobody does. */
  readonly runCommand: RunCommand | undefined;
  /** What the client wants the connection to become: its Upgrade header. */
  readonly protocol: string | undefined;
  /** The minor version that the client speaks: 51 for v1.51. */
  readonly apiMinor: number;
}

export interface Route {
  readonly method: Method;
  readonly path: string;
  /** The operation in Docker's API description. */
  readonly operation: string;
  readonly query: QueryShape;
  /** Whether it reads a body: JSON, or bytes as they come. */
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
