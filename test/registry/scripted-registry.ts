/** A registry on loopback that follows the specification until a script says otherwise. */
import { createHash } from "node:crypto";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { type Digest, digestOfHex } from "../../src/spec/digest.ts";
import { mediaTypes } from "../../src/spec/oci-image.ts";

/** As JSON has it: sets are objects. */
type ContainerDefaults = Readonly<Record<string, unknown>>;

export interface Request {
  readonly method: string;
  readonly path: string;
  readonly headers: http.IncomingHttpHeaders;
  /** Its body, for scripts that want it. */
  readonly body: http.IncomingMessage;
}

/** Answers a request, or lets the registry answer by returning false. count: how many like it came, this one included. */
export type Script = (
  request: Request,
  response: http.ServerResponse,
  count: number,
) => boolean | undefined | Promise<boolean | undefined>;

interface Stored {
  readonly bytes: Buffer;
  readonly type: string;
}

export function digestOf(bytes: Uint8Array): Digest {
  return digestOfHex(createHash("sha256").update(bytes).digest("hex"));
}

export class ScriptedRegistry implements AsyncDisposable {
  readonly requests: Request[] = [];
  readonly blobs = new Map<string, Buffer>();
  /** By tag and by digest. */
  readonly manifests = new Map<string, Stored>();
  readonly #scripts: { readonly pattern: RegExp; readonly script: Script; count: number }[] = [];
  readonly #server = http.createServer((request, response) => void this.#serve(request, response));

  /** @param port one that is free unless it matters */
  static async open(port = 0): Promise<ScriptedRegistry> {
    const registry = new ScriptedRegistry();
    await new Promise<void>((resolve) => registry.#server.listen(port, "127.0.0.1", resolve));
    return registry;
  }

  /** HOST:PORT, as a reference's host. */
  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get url(): string {
    return `http://${this.host}`;
  }

  /** Requests whose "METHOD /path" matches go to the script first; later scripts before earlier ones. */
  script(pattern: RegExp, script: Script): void {
    this.#scripts.unshift({ pattern, script, count: 0 });
  }

  /** The requests whose "METHOD /path" matches. */
  seen(pattern: RegExp): Request[] {
    return this.requests.filter((request) => pattern.test(`${request.method} ${request.path}`));
  }

  addBlob(bytes: Buffer): Digest {
    const digest = digestOf(bytes);
    this.blobs.set(digest, bytes);
    return digest;
  }

  addManifest(document: unknown, type: string, tag?: string): Digest {
    const bytes = Buffer.from(typeof document === "string" ? document : JSON.stringify(document));
    const digest = digestOf(bytes);
    this.manifests.set(digest, { bytes, type });
    if (tag !== undefined) this.manifests.set(tag, { bytes, type });
    return digest;
  }

  /** An image with these layers (blobs of any content; nothing here unpacks them). */
  addImage(
    tag: string,
    layers: readonly Buffer[],
    defaults: ContainerDefaults = { Cmd: [tag] },
    architecture = "amd64",
  ): { manifest: Digest; config: Digest; layers: Digest[] } {
    const digests = layers.map((layer) => this.addBlob(layer));
    const config = Buffer.from(
      JSON.stringify({
        os: "linux",
        architecture,
        config: defaults,
        rootfs: { type: "layers", diff_ids: digests },
      }),
    );
    const type = "application/vnd.oci.image.layer.v1.tar";
    const document = {
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: { mediaType: mediaTypes.ociConfig, digest: this.addBlob(config), size: config.length },
      layers: layers.map((layer, i) => ({ mediaType: type, digest: digests[i], size: layer.length })),
    };
    const manifest = this.addManifest(document, mediaTypes.ociManifest, tag);
    return { manifest, config: digestOf(config), layers: digests };
  }

  /** One name for several images, in this order. */
  addIndex(
    tag: string,
    ...entries: readonly (readonly [{ readonly manifest: Digest }, architecture: string, attests?: Digest])[]
  ): Digest {
    const about = (digest: Digest) => ({
      annotations: { "vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": digest },
    });
    const manifests = entries.map(([{ manifest }, architecture, attests]) => ({
      mediaType: mediaTypes.ociManifest,
      digest: manifest,
      size: this.manifests.get(manifest)?.bytes.length,
      platform: { os: attests === undefined ? "linux" : "unknown", architecture },
      ...(attests === undefined ? {} : about(attests)),
    }));
    return this.addManifest({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }, mediaTypes.ociIndex, tag);
  }

  async #serve(incoming: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const path = incoming.url ?? "";
    const request: Request = { method: incoming.method ?? "", path, headers: incoming.headers, body: incoming };
    this.requests.push(request);
    const line = `${request.method} ${path}`;
    for (const entry of this.#scripts) {
      if (!entry.pattern.test(line)) continue;
      entry.count++;
      if ((await entry.script(request, response, entry.count)) !== false) return;
    }
    this.#answer(request, response);
  }

  #answer({ method, path, headers }: Request, response: http.ServerResponse): void {
    const [, kind, name = ""] = /\/(manifests|blobs)\/([^/?]+)$/.exec(path) ?? [];
    const stored = kind === "manifests" ? this.manifests.get(name) : undefined;
    const blob = kind === "blobs" ? this.blobs.get(name) : undefined;
    if (path === "/v2/") response.end("{}");
    else if (stored !== undefined) {
      response.writeHead(200, {
        "content-type": stored.type,
        "content-length": stored.bytes.length,
        "docker-content-digest": digestOf(stored.bytes),
      });
      response.end(method === "HEAD" ? undefined : stored.bytes);
    } else if (blob !== undefined) sendBlob(blob, headers, response);
    else sendError(response, 404, kind === "blobs" ? "BLOB_UNKNOWN" : "MANIFEST_UNKNOWN", "not here");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Status and header fields for a blob, or for the part of it that Range asks for. */
export function rangeHeader(blob: Buffer, headers: http.IncomingHttpHeaders): [number, http.OutgoingHttpHeaders] {
  const first = firstOf(headers);
  if (first === 0) return [200, { "content-length": blob.length }];
  const range = `bytes ${first}-${blob.length - 1}/${blob.length}`;
  return [206, { "content-length": blob.length - first, "content-range": range }];
}

function firstOf({ range }: http.IncomingHttpHeaders): number {
  return Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1] ?? 0);
}

/** A blob, or the part of it that Range asks for. */
export function sendBlob(blob: Buffer, headers: http.IncomingHttpHeaders, response: http.ServerResponse): void {
  response.writeHead(...rangeHeader(blob, headers));
  response.end(blob.subarray(firstOf(headers)));
}

export function sendError(response: http.ServerResponse, status: number, code: string, message: string): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify({ errors: [{ code, message }] }));
}

/** Sends this much of a blob (from where Range asks), then cuts the connection. */
export function sendCut(
  blob: Buffer,
  bytes: number,
  headers: http.IncomingHttpHeaders,
  response: http.ServerResponse,
): void {
  response.writeHead(...rangeHeader(blob, headers));
  if (bytes === 0) response.flushHeaders();
  const first = firstOf(headers);
  response.write(blob.subarray(first, first + bytes), () => response.socket?.destroy());
}
