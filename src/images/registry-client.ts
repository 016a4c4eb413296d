/** Requests to one repository at one endpoint: the reading part of the distribution specification, and deletion. */
import { createHash } from "node:crypto";
import { OrlopError } from "../base/errors.ts";
import { type Digest, digestOfHex, parseDigest } from "../spec/digest.ts";
import { parseContentRange, parseNextLink } from "../spec/distribution.ts";
import { asList, asText, parseJsonObject, ShapeFault } from "../spec/json-shape.ts";
import { type Index, type Manifest, mediaTypes } from "../spec/oci-image.ts";
import { manifestMax, parseManifest } from "../spec/oci-image-parse.ts";
import type { RegistrySession } from "./registry-session.ts";
import { type HttpAnswer, shown } from "./registry-transport.ts";

const accept = [mediaTypes.ociIndex, mediaTypes.ociManifest, mediaTypes.dockerIndex, mediaTypes.dockerManifest].join(
  ", ",
);
const tagPageMax = 4 << 20;
const pagesMax = 1000;

/** The descriptor of a tag or digest, without the body. */
export interface ManifestHead {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly size: number;
}

/** A response with a part of a blob: its body begins at `offset`. */
export interface BlobPart {
  readonly response: Response;
  readonly url: URL;
  readonly offset: number;
}

/** Reads the manifest that a tag or a digest names. name: for errors. @throws {OrlopError} */
export async function getManifest(
  session: RegistrySession,
  target: string | Digest,
  name: string,
  signal?: AbortSignal,
): Promise<Manifest | Index> {
  const answer = await session.send({
    method: "GET",
    path: `manifests/${target}`,
    headers: { accept },
    expect: [200, 404],
    ...(signal === undefined ? {} : { signal }),
  });
  if (answer.response.status === 404) {
    await answer.response.body?.cancel();
    throw OrlopError.of("manifest_unknown", { reference: name });
  }
  const raw = await session.readBody(answer, manifestMax, "the manifest");
  const actual = digestOfHex(createHash("sha256").update(raw).digest("hex"));
  const { headers } = answer.response;
  // a requested digest has to match; for a tag, the digest in the registry's header has to
  const announced = headers.get("docker-content-digest");
  const expected = target.includes(":") ? target : announced;
  if (expected !== null && parseDigest(expected) !== actual)
    throw OrlopError.of("digest_mismatch", { what: `the manifest of ${name}`, expected, actual });
  const contentType = headers.get("content-type");
  return parseManifest(raw, actual, { name, ...(contentType === null ? {} : { contentType }) });
}

/** The descriptor that a tag has now; undefined without such a tag. */
export async function headManifest(
  session: RegistrySession,
  target: string,
  signal?: AbortSignal,
): Promise<ManifestHead | undefined> {
  const { response, url } = await session.send({
    method: "HEAD",
    path: `manifests/${target}`,
    headers: { accept },
    expect: [200, 404],
    ...(signal === undefined ? {} : { signal }),
  });
  if (response.status === 404) return undefined;
  const digest = response.headers.get("docker-content-digest");
  const size = Number(response.headers.get("content-length"));
  const mediaType = response.headers.get("content-type") ?? "";
  if (digest === null) throw OrlopError.of("registry_broken", { url: shown(url), reason: "no Docker-Content-Digest" });
  return { digest: parseDigest(digest), mediaType, size };
}

/**
 * Opens a blob from `offset` on. A registry that cannot resume sends all of it: the answer's `offset` tells.
 *
 * @throws {OrlopError} blob_unknown; registry_broken when the range is not the requested one
 */
export async function getBlob(
  session: RegistrySession,
  { digest, size }: { readonly digest: Digest; readonly size: number },
  offset: number,
  signal?: AbortSignal,
): Promise<BlobPart> {
  const answer = await session.send({
    method: "GET",
    path: `blobs/${digest}`,
    ...(offset === 0 ? {} : { headers: { range: `bytes=${offset}-` } }),
    expect: [200, 206, 404, 416],
    // a single attempt: the download does its own retries, by progress
    attempts: 1,
    ...(signal === undefined ? {} : { signal }),
  });
  const { response, url } = answer;
  try {
    if (response.status === 404) throw OrlopError.of("blob_unknown", { digest });
    const broken = (reason: string): OrlopError => OrlopError.of("registry_broken", { url: shown(url), reason });
    if (response.status === 416) throw broken(`it refuses to resume at byte ${offset} of ${size}`);
    const starts = response.status === 206 ? checkRange(response, offset, size, broken) : 0;
    const length = response.headers.get("content-length");
    if (length !== null && Number(length) !== size - starts)
      throw broken(`it announces ${length} bytes where ${size - starts} are expected`);
    return { response, url, offset: starts };
  } catch (error) {
    await response.body?.cancel();
    throw error;
  }
}

function checkRange(response: Response, offset: number, size: number, broken: (reason: string) => OrlopError): number {
  const text = response.headers.get("content-range");
  const range = parseContentRange(text);
  const right = range !== undefined && range.first === offset && range.last === size - 1;
  if (!right || (range.size !== undefined && range.size !== size))
    throw broken(`it answers bytes ${offset}- of ${size} with Content-Range ${(text ?? "(none)").slice(0, 100)}`);
  return offset;
}

/** Every tag of the repository, over all pages. @throws {OrlopError} */
export async function listTags(session: RegistrySession, signal?: AbortSignal): Promise<string[]> {
  const tags: string[] = [];
  let path: string | URL = "tags/list?n=1000";
  for (let page = 0; page < pagesMax; page++) {
    const answer: HttpAnswer = await session.send({
      method: "GET",
      path,
      expect: [200],
      ...(signal === undefined ? {} : { signal }),
    });
    const body = await session.readBody(answer, tagPageMax, "the list of tags");
    tags.push(...shaped(answer.url, () => asList(parseJsonObject(body)["tags"] ?? [], "tags", 100_000, asText)));
    const next = parseNextLink(answer.response.headers.get("link"));
    if (next === undefined) return tags;
    path = nextPage(answer.url, next);
  }
  throw OrlopError.of("registry_broken", {
    url: session.options.endpoint.url,
    reason: `over ${pagesMax} pages of tags`,
  });
}

/** The address of the next page; only on the same host, because it gets our authorization. */
function nextPage(from: URL, link: string): URL {
  const broken = OrlopError.of("registry_broken", { url: shown(from), reason: "the next page is on another host" });
  if (!URL.canParse(link, from.href)) throw broken;
  const next = new URL(link, from.href);
  if (next.origin !== from.origin || next.href === from.href) throw broken;
  return next;
}

/** The manifests that refer to a digest (signatures, bills of materials). @throws {OrlopError} */
export async function listReferrers(session: RegistrySession, digest: Digest, signal?: AbortSignal): Promise<Index> {
  const send = (path: string): Promise<HttpAnswer> =>
    session.send({
      method: "GET",
      path,
      headers: { accept },
      expect: [200, 404],
      ...(signal === undefined ? {} : { signal }),
    });
  let answer = await send(`referrers/${digest}`);
  if (answer.response.status === 404) {
    await answer.response.body?.cancel();
    // a registry without that interface keeps them under a tag (distribution spec 1.1, "Referrers Tag Schema")
    answer = await send(`manifests/${digest.replace(":", "-")}`);
  }
  if (answer.response.status === 404) {
    await answer.response.body?.cancel();
    return { kind: "index", raw: new Uint8Array(), digest, mediaType: mediaTypes.ociIndex, manifests: [] };
  }
  const raw = await session.readBody(answer, manifestMax, "the list of referrers");
  const name = `the referrers of ${digest}`;
  const actual = digestOfHex(createHash("sha256").update(raw).digest("hex"));
  const index = parseManifest(raw, actual, { name });
  if (index.kind === "index") return index;
  throw OrlopError.of("registry_broken", { url: shown(answer.url), reason: "the list of referrers is not an index" });
}

/** Deletes a tag or, by its digest, a manifest. False when there was none. */
export async function deleteManifest(session: RegistrySession, target: string, signal?: AbortSignal): Promise<boolean> {
  const { response } = await session.send({
    method: "DELETE",
    path: `manifests/${target}`,
    actions: "delete",
    expect: [200, 202, 404],
    ...(signal === undefined ? {} : { signal }),
  });
  await response.body?.cancel();
  return response.status !== 404;
}

function shaped<T>(url: URL, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof ShapeFault) throw OrlopError.of("registry_broken", { url: shown(url), reason: error.message });
    throw error;
  }
}
