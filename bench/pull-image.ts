/** The image of bench/pull.ts as an OCI layout: gzip layers that lie ready, and a second tag with one small layer more. */

import { createHash } from "node:crypto";
import { copyFileSync, createReadStream, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createGunzip } from "node:zlib";

const manifestType = "application/vnd.oci.image.manifest.v1+json";

interface Layer {
  readonly digest: string;
  readonly diffId: string;
  readonly size: number;
}

/**
 * @param layers a folder with 1.gz, 2.gz … : the last one is the update's alone
 * @param layout made here; its tags are "base" and "update"
 */
export async function makePullImage(layers: string, layout: string): Promise<void> {
  const blobs = join(layout, "blobs/sha256");
  mkdirSync(blobs, { recursive: true });
  const known: Layer[] = [];
  for (const name of readdirSync(layers).sort()) {
    const path = join(layers, name);
    const digest = await digestOf(createReadStream(path));
    copyFileSync(path, join(blobs, digest));
    const diffId = await digestOf(createReadStream(path).pipe(createGunzip()));
    known.push({ digest, diffId, size: statSync(path).size });
  }
  const manifests = [
    { tag: "base", layers: known.slice(0, -1) },
    { tag: "update", layers: known },
  ].map(({ tag, layers }) => writeImage(blobs, tag, layers));
  writeFileSync(join(layout, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(join(layout, "index.json"), JSON.stringify({ schemaVersion: 2, manifests }));
}

function writeImage(blobs: string, tag: string, layers: readonly Layer[]): object {
  const config = writeBlob(blobs, {
    os: "linux",
    architecture: "amd64",
    config: { Cmd: ["/bin/true"] },
    rootfs: { type: "layers", diff_ids: layers.map(({ diffId }) => `sha256:${diffId}`) },
  });
  const manifest = writeBlob(blobs, {
    schemaVersion: 2,
    mediaType: manifestType,
    config: { mediaType: "application/vnd.oci.image.config.v1+json", ...config },
    layers: layers.map(({ digest, size }) => ({
      mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
      digest: `sha256:${digest}`,
      size,
    })),
  });
  return { mediaType: manifestType, ...manifest, annotations: { "org.opencontainers.image.ref.name": tag } };
}

function writeBlob(blobs: string, document: object): { readonly digest: string; readonly size: number } {
  const bytes = Buffer.from(JSON.stringify(document));
  const digest = createHash("sha256").update(bytes).digest("hex");
  writeFileSync(join(blobs, digest), bytes);
  return { digest: `sha256:${digest}`, size: bytes.length };
}

async function digestOf(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of stream) hash.update(piece);
  return hash.digest("hex");
}
