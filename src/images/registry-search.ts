/** Search, by docker.io's older interface (`GET /v1/search`), which mirrors and other registries may have as well. */
import { OrlopError } from "../base/errors.ts";
import {
  asCount,
  asList,
  asObject,
  asText,
  asTruth,
  optional,
  parseJsonObject,
  ShapeFault,
} from "../spec/json-shape.ts";
import type { RegistrySession } from "./registry-session.ts";

export interface FoundRepository {
  readonly name: string;
  readonly description: string;
  readonly stars: number;
  readonly isOfficial: boolean;
}

const answerMax = 4 << 20;

/** The first source's answer. @throws {OrlopError} the last one's: registry_* */
export async function searchRepositories(
  sessions: readonly RegistrySession[],
  term: string,
  limit: number,
  signal?: AbortSignal,
): Promise<FoundRepository[]> {
  let refusal: unknown;
  for (const session of sessions)
    try {
      return await ask(session, term, limit, signal);
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof OrlopError)) throw error;
      refusal = error;
    }
  throw refusal;
}

async function ask(
  session: RegistrySession,
  term: string,
  limit: number,
  signal: AbortSignal | undefined,
): Promise<FoundRepository[]> {
  const { credentialsOf, isMirror } = session.options.endpoint;
  const path = `/v1/search?q=${encodeURIComponent(term)}&n=${limit}`;
  const answer = await session.send({
    method: "GET",
    // docker.io's index is another host than its registry
    path: credentialsOf === "docker.io" && !isMirror ? new URL(path, "https://index.docker.io") : path,
    actions: "none",
    expect: [200],
    ...(signal === undefined ? {} : { signal }),
  });
  const body = await session.readBody(answer, answerMax, "the list of repositories");
  try {
    return asList(parseJsonObject(body)["results"] ?? [], "results", 10_000, asRepository).slice(0, limit);
  } catch (error) {
    if (!(error instanceof ShapeFault)) throw error;
    throw OrlopError.of("registry_broken", { url: session.options.endpoint.url, reason: error.message });
  }
}

function asRepository(value: unknown, at: string): FoundRepository {
  const object = asObject(value, at);
  return {
    name: asText(object["name"], `${at}.name`),
    description: optional(object, "description", "is", asText).is ?? "",
    stars: optional(object, "star_count", "is", asCount).is ?? 0,
    isOfficial: optional(object, "is_official", "is", asTruth).is ?? false,
  };
}
