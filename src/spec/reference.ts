/**
 * Image references as Docker reads them: `[HOST/]REPOSITORY[:TAG][@DIGEST]`.
 *
 * Grammar: distribution/reference; defaults: `docker.io`, `library/`, `latest`.
 */
import { OrlopError } from "../base/errors.ts";
import { type Digest, parseDigest } from "./digest.ts";

/** One image's name. With a digest, the tag only documents: the digest alone decides what is meant. */
export interface Reference {
  readonly host: string;
  readonly repository: string;
  /** Absent only when there is a digest. */
  readonly tag?: string;
  readonly digest?: Digest;
}

const defaultHost = "docker.io";
const officialPrefix = "library/";
/** Of the repository, without the host. */
const repositoryMax = 255;

const hostLabel = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?";
const hostPattern = new RegExp(`^(?:${hostLabel}(?:\\.${hostLabel})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?$`);
const repositoryPattern = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*$/;
const tagPattern = /^[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}$/;
const imageIdPattern = /^[a-f0-9]{64}$/;

/**
 * What `written` refers to, with Docker's defaults filled in.
 *
 * @throws {OrlopError} bad_reference, bad_digest, unsupported_digest
 */
export function parseReference(written: string): Reference {
  const at = written.indexOf("@");
  const digest = at < 0 ? undefined : parseDigest(written.slice(at + 1));
  const named = at < 0 ? written : written.slice(0, at);
  if (imageIdPattern.test(named)) throw refuse(written, "64 hexadecimal digits are an image's id, not a name");
  const { host, rest } = splitHost(named);
  if (!hostPattern.test(host) || portOf(host) > 65_535) throw refuse(written, `${host} is not a host`);
  const colon = rest.indexOf(":");
  const tag = colon < 0 ? undefined : rest.slice(colon + 1);
  if (tag !== undefined && !tagPattern.test(tag)) throw refuse(written, "a tag is 1 to 128 of a-z A-Z 0-9 _ . -");
  const path = colon < 0 ? rest : rest.slice(0, colon);
  const repository = host === defaultHost && !path.includes("/") ? officialPrefix + path : path;
  checkRepository(written, path, repository);
  if (digest !== undefined) return { host, repository, ...(tag === undefined ? {} : { tag }), digest };
  return { host, repository, tag: tag ?? "latest" };
}

/** The first component is a host only when it looks like one; Docker's rule. */
function splitHost(named: string): { host: string; rest: string } {
  const slash = named.indexOf("/");
  const first = named.slice(0, Math.max(slash, 0));
  const isHost = slash >= 0 && (/[.:]/.test(first) || first === "localhost" || first.toLowerCase() !== first);
  if (!isHost) return { host: defaultHost, rest: named };
  return { host: first === "index.docker.io" ? defaultHost : first, rest: named.slice(slash + 1) };
}

function portOf(host: string): number {
  return Number(/:([0-9]+)$/.exec(host)?.[1] ?? 0);
}

function checkRepository(written: string, path: string, repository: string): void {
  if (path === "") throw refuse(written, "the name is empty");
  if (repositoryPattern.test(repository)) {
    if (repository.length > repositoryMax) throw refuse(written, `the name is over ${repositoryMax} characters`);
    return;
  }
  if (repositoryPattern.test(repository.toLowerCase()))
    throw refuse(written, `repository name (${path}) must be lowercase`);
  throw refuse(written, "a name's parts are a-z 0-9, joined by one of . _ / or by __ or dashes");
}

function refuse(written: string, reason: string): OrlopError {
  return OrlopError.of("bad_reference", { reference: written.slice(0, 400), reason });
}

/** The whole reference, e.g. `docker.io/library/alpine:3.20`. */
export function formatReference(reference: Reference): string {
  return `${reference.host}/${reference.repository}${suffixOf(reference)}`;
}

/** As Docker shows it: without `docker.io/` and `library/`, e.g. `alpine:3.20`. */
export function familiarReference(reference: Reference): string {
  return familiarName(reference) + suffixOf(reference);
}

/** The name alone as Docker shows it, e.g. `alpine`. */
export function familiarName({ host, repository }: Reference): string {
  if (host !== defaultHost) return `${host}/${repository}`;
  const short = repository.startsWith(officialPrefix) ? repository.slice(officialPrefix.length) : repository;
  // "library/a/b" would lose its meaning without the prefix
  return short.includes("/") && short !== repository ? repository : short;
}

function suffixOf({ tag, digest }: Reference): string {
  return (tag === undefined ? "" : `:${tag}`) + (digest === undefined ? "" : `@${digest}`);
}
