/** What passes the door for manifests and configurations, and what does not. */
import { describe, expect, test } from "bun:test";
import { parseDigest } from "./digest.ts";
import { mediaTypes } from "./oci-image.ts";
import { checkIsImage, parseImageConfig, parseManifest } from "./oci-image-parse.ts";

const digest = parseDigest(`sha256:${"0".repeat(64)}`);
const bytes = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const config = { mediaType: mediaTypes.ociConfig, digest, size: 2 };
const layer = { mediaType: "application/vnd.oci.image.layer.v1.tar+gzip", digest, size: 10 };
const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [layer] };
const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] as unknown[] };
const parse = (value: unknown, contentType?: string) =>
  parseManifest(bytes(value), digest, { name: "x", ...(contentType === undefined ? {} : { contentType }) });

describe("manifests", () => {
  test("OCI and Docker, with the type in the document, outside, or in neither", () => {
    expect(parse(manifest).kind).toBe("manifest");
    expect(parse({ ...manifest, mediaType: mediaTypes.dockerManifest }).mediaType).toBe(mediaTypes.dockerManifest);
    expect(parse({ ...manifest, mediaType: undefined }, `${mediaTypes.ociManifest}; charset=utf-8`).kind).toBe(
      "manifest",
    );
    expect(parse({ ...manifest, mediaType: undefined }, "application/json").mediaType).toBe(mediaTypes.ociManifest);
    expect(parse({ ...index, mediaType: undefined }).mediaType).toBe(mediaTypes.ociIndex);
    expect(parse(manifest, "text/plain").kind).toBe("manifest");
  });

  test.each<[string, unknown, string | undefined, string]>([
    ["both layers and manifests", { ...manifest, manifests: [] }, undefined, "both layers and manifests"],
    ["both, as an index", { ...index, layers: [] }, undefined, "both layers and manifests"],
    ["another type than announced", manifest, mediaTypes.ociIndex, "was announced as"],
    ["Docker schema 1", { schemaVersion: 1, fsLayers: [] }, undefined, "manifest schema 1"],
    ["Docker schema 1 by its type", { ...manifest, mediaType: undefined }, mediaTypes.dockerSignedSchema1, "schema 1"],
    ["schema version 3", { ...manifest, schemaVersion: 3 }, undefined, "schemaVersion is not 2"],
    ["an unknown type", { ...manifest, mediaType: "application/x" }, undefined, "manifest type application/x"],
    ["a list", [], undefined, "the document is not an object"],
    ["a malformed digest", { ...manifest, config: { ...config, digest: "sha256:../x" } }, undefined, "is not a digest"],
    ["sha512", { ...manifest, config: { ...config, digest: `sha512:${"a".repeat(128)}` } }, undefined, "sha512"],
    ["a size below 0", { ...manifest, layers: [{ ...layer, size: -1 }] }, undefined, "layers[0].size"],
    ["a size of 1.5", { ...manifest, layers: [{ ...layer, size: 1.5 }] }, undefined, "layers[0].size"],
    ["501 layers", { ...manifest, layers: Array(501).fill(layer) }, undefined, "at most 500"],
    ["no config", { ...manifest, config: undefined }, undefined, "config is not an object"],
    ["5 MiB", { ...manifest, annotations: { a: "x".repeat(5 << 20) } }, undefined, "over 4194304 bytes"],
  ])("%s is refused", (_, document, contentType, words) => {
    expect(() => parse(document, contentType)).toThrow(words);
  });

  test("bytes that are not UTF-8, not JSON, or nested without end are refused", () => {
    const parseRaw = (raw: Uint8Array) => () => parseManifest(raw, digest, { name: "x" });
    expect(parseRaw(Uint8Array.of(0xff, 0xfe))).toThrow("not UTF-8");
    expect(parseRaw(new TextEncoder().encode("{"))).toThrow("not JSON");
    expect(parseRaw(new TextEncoder().encode("[".repeat(1 << 20)))).toThrow("not JSON");
  });

  test.each([
    ["a chart", { config: { ...config, mediaType: "application/vnd.cncf.helm.config.v1+json" } }, "vnd.cncf.helm"],
    ["an empty config", { config: { ...config, mediaType: mediaTypes.ociEmpty }, artifactType: "a/b" }, "of type a/b"],
    [
      "a foreign layer",
      { layers: [{ ...layer, mediaType: "application/x-layer" }] },
      "a layer of type application/x-layer",
    ],
    ["a type from the prototype", { layers: [{ ...layer, mediaType: "constructor" }] }, "a layer of type constructor"],
    ["a huge config", { config: { ...config, size: 5 << 20 } }, "over 4194304 bytes"],
  ])("%s is no image", (_, change, words) => {
    const parsed = parse({ ...manifest, ...change });
    expect(() => parsed.kind === "manifest" && checkIsImage(parsed, "x")).toThrow(words);
  });
});

const many = (count: number, value: unknown) =>
  Object.fromEntries(Array.from({ length: count }, (_, at) => [`/${at}`, value]));

describe("configurations", () => {
  test("a range of ports is as many entries", () => {
    const config = { ExposedPorts: many(10_001, {}) };
    const raw = bytes({ os: "linux", architecture: "amd64", rootfs: { type: "layers", diff_ids: [digest] }, config });
    expect(parseImageConfig(raw, digest, 1, "x").config.ExposedPorts).toHaveLength(10_001);
  });

  const document = { os: "linux", architecture: "amd64", rootfs: { type: "layers", diff_ids: [digest] } };

  test("what Docker writes is read: sets as objects, null for absent", () => {
    const raw = bytes({
      ...document,
      config: { User: "7:8", Env: null, Volumes: { "/v": {} }, ExposedPorts: { "80/tcp": {} } },
    });
    const parsed = parseImageConfig(raw, digest, 1, "x");
    expect(parsed.config).toEqual({ User: "7:8", Volumes: ["/v"], ExposedPorts: ["80/tcp"] });
    expect(parsed.raw).toBe(raw);
  });

  test.each([
    ["fewer diff ids than layers", document, 2, "1 entries for 2 layers"],
    ["no rootfs", { ...document, rootfs: undefined }, 1, "rootfs is not an object"],
    ["a user that is a number", { ...document, config: { User: 5 } }, 1, "User is not a text"],
    ["an environment that is a text", { ...document, config: { Env: "A=1" } }, 1, "Env is not a list"],
    ["a variable with a NUL", { ...document, config: { Env: ["A=1\0B=2"] } }, 1, "Env[0] has a NUL"],
    ["a volume with a NUL", { ...document, config: { Volumes: { "/v\0": {} } } }, 1, "a name in Volumes has a NUL"],
    ["a label's name with a NUL", { ...document, config: { Labels: { "a\0": "b" } } }, 1, "a name in Labels has a NUL"],
    ["very many labels", { ...document, config: { Labels: many(10_001, "") } }, 1, "Labels has 10001 entries"],
    ["very many volumes", { ...document, config: { Volumes: many(10_001, {}) } }, 1, "Volumes has 10001 entries"],
    ["no architecture", { ...document, architecture: undefined }, 1, "architecture is not a text"],
  ])("%s is refused", (_, value, layers, words) => {
    expect(() => parseImageConfig(bytes(value), digest, layers, "x")).toThrow(words);
  });
});
