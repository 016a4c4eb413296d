/** Finds the route of a request: /v1.41/containers/x/json and /containers/x/json are the same. */

import { OrlopError } from "../base/errors.ts";
import { absence } from "./absent-operations.ts";
import { json, type Reply } from "./reply.ts";
import type { Call, Method, Route } from "./route.ts";

export const API_MAX_MINOR = 51;
export const API_MIN_MINOR = 24;

export interface Match {
  readonly route: Route;
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly apiMinor: number;
}

export class Router {
  /** By method and number of path segments, so that few routes are compared. */
  readonly #routes = new Map<string, { readonly route: Route; readonly parts: readonly string[] }[]>();
  /** Routes with a parameter that may contain slashes. */
  readonly #open: { readonly route: Route; readonly pattern: RegExp; readonly name: string }[] = [];

  constructor(routes: readonly Route[]) {
    for (const route of routes) {
      const star = /^(.*)\*(\w+)(.*)$/.exec(route.path);
      if (star !== null) {
        this.#open.push({ route, pattern: new RegExp(`^${star[1]}(.+)${star[3]}$`), name: star[2] ?? "" });
        continue;
      }
      const parts = partsOf(route.path);
      const key = `${route.method} ${parts.length}`;
      this.#routes.set(key, [...(this.#routes.get(key) ?? []), { route, parts }]);
    }
  }

  /** @throws {OrlopError} page_not_found, api_version_old, api_version_new; feature_missing, no_swarm: an operation of Docker's that Orlop lacks */
  match(method: string, target: string): Match {
    const mark = target.indexOf("?");
    const path = mark < 0 ? target : target.slice(0, mark);
    const query = new URLSearchParams(mark < 0 ? "" : target.slice(mark + 1));
    const [, version, rest = path] = /^\/v(\d{1,3}\.\d{1,3})(\/.*)$/.exec(path) ?? [];
    const apiMinor = minorOf(version);
    const given = partsOf(rest);
    if (rest.startsWith(EXPLAINED)) {
      const found = this.match(method, target.replace(EXPLAINED, "/"));
      return { ...found, route: explaining(found.route, rest.slice(EXPLAINED.length - 1)) };
    }
    for (const { route, parts } of this.#routes.get(`${method as Method} ${given.length}`) ?? []) {
      const params = paramsOf(parts, given);
      if (params !== undefined) return { route, params, query, apiMinor };
    }
    for (const { route, pattern, name } of this.#open) {
      const value = route.method === method ? pattern.exec(rest)?.[1] : undefined;
      if (value !== undefined) return { route, params: { [name]: decode(value) }, query, apiMinor };
    }
    throw absence(method, rest) ?? OrlopError.of("page_not_found", { path: rest });
  }
}

/** Before an operation's path: it is told what the operation would do, and nothing is done. */
const EXPLAINED = "/orlop/explained/";

function explaining(route: Route, path: string): Route {
  const handle = async (call: Call<never, never>): Promise<Reply> => {
    if (route.explain === undefined) throw OrlopError.of("not_explained", { what: `${route.method} ${path}` });
    return json(await route.explain(call));
  };
  return { ...route, handle };
}

function minorOf(version: string | undefined): number {
  if (version === undefined) return API_MAX_MINOR;
  const [major, minor] = version.split(".").map(Number);
  if (major === 0 || (major === 1 && (minor ?? 0) < API_MIN_MINOR))
    throw OrlopError.of("api_version_old", { version, least: `1.${API_MIN_MINOR}` });
  if (major !== 1 || minor === undefined || minor > API_MAX_MINOR)
    throw OrlopError.of("api_version_new", { version, most: `1.${API_MAX_MINOR}` });
  return minor;
}

function partsOf(path: string): string[] {
  return path.split("/").slice(1);
}

function paramsOf(parts: readonly string[], given: readonly string[]): Record<string, string> | undefined {
  const params: Record<string, string> = {};
  for (const [index, part] of parts.entries()) {
    const value = given[index] ?? "";
    if (part.startsWith(":")) params[part.slice(1)] = decode(value);
    else if (part !== value) return undefined;
  }
  return params;
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw OrlopError.of("page_not_found", { path: part });
  }
}
