/** What is asked of registries without pulling: a manifest's platforms, whether credentials are right, a search. */

import { OrlopError } from "../../base/errors.ts";
import { readWhole } from "../../images/bounded-body.ts";
import { getManifest } from "../../images/registry-client.ts";
import { checkIsLoggedIn } from "../../images/registry-login.ts";
import { type FoundRepository, searchRepositories } from "../../images/registry-search.ts";
import type { Descriptor } from "../../spec/oci-image.ts";
import { configMax, parseImageConfig } from "../../spec/oci-image-parse.ts";
import type { Platform } from "../../spec/platform.ts";
import { familiarReference, parseReference, type Reference } from "../../spec/reference.ts";
import type { Credentials } from "../../spec/registry-credentials.ts";
import type { Images } from "./images.ts";

export type { FoundRepository };

export interface RegistryAsk {
  readonly credentials?: Credentials;
  readonly signal?: AbortSignal;
}

/** What a reference leads to at its registry, and for which platforms it is. @throws {OrlopError} manifest_unknown, registry_* */
export async function distributionOf(
  images: Images,
  reference: Reference,
  { credentials, signal }: RegistryAsk,
): Promise<{ readonly descriptor: Descriptor; readonly platforms: readonly Platform[] }> {
  const session = (await images.registrySettings.registries()).session(reference, credentials);
  const name = familiarReference(reference);
  const document = await getManifest(session, reference.digest ?? reference.tag ?? "latest", name, signal);
  const { mediaType, digest, raw } = document;
  const descriptor = { mediaType, digest, size: raw.length };
  if (document.kind === "index")
    return { descriptor, platforms: document.manifests.flatMap(({ platform }) => platform ?? []) };
  const { config, layers } = document;
  const answer = await session.send({
    method: "GET",
    path: `blobs/${config.digest}`,
    expect: [200, 404],
    ...(signal && { signal }),
  });
  if (answer.response.status === 404) throw OrlopError.of("blob_unknown", { digest: config.digest });
  const bytes = await readWhole(answer.response, configMax, session.options.stallMs);
  return { descriptor, platforms: [parseImageConfig(bytes, config.digest, layers.length, name).platform] };
}

/** @param address as `docker login` has it: a host, with or without scheme and path. @throws {OrlopError} registry_unauthorized … */
export async function checkLogin(images: Images, address: string, { credentials, signal }: RegistryAsk): Promise<void> {
  const registries = await images.registrySettings.registries();
  await checkIsLoggedIn(registries.session({ host: hostOf(address), repository: "" }, credentials), signal);
}

/** The host that references use: `https://index.docker.io/v1/` is docker.io's oldest name. */
function hostOf(address: string): string {
  const host = address.replace(/^https?:\/\//, "").split("/", 1)[0] ?? "";
  const { host: known } = parseReference(`${host === "" ? "docker.io" : host}/x`);
  return known === "registry-1.docker.io" ? "docker.io" : known;
}

/** Repositories whose name or description has the words, the best first. `HOST/WORDS` asks another registry than docker.io. */
export async function search(
  images: Images,
  term: string,
  limit: number,
  { credentials, signal }: RegistryAsk,
): Promise<FoundRepository[]> {
  const slash = term.indexOf("/");
  const first = term.slice(0, Math.max(0, slash));
  const isHost = slash > 0 && (/[.:]/.test(first) || first === "localhost");
  const place = { host: isHost ? parseReference(`${first}/x`).host : "docker.io", repository: "" };
  const sessions = (await images.registrySettings.registries()).sessions(place, credentials);
  return searchRepositories(sessions, isHost ? term.slice(slash + 1) : term, limit, signal);
}
