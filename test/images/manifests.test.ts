/** `manifests` of a list and of inspect: what an index names, and how much of it is here. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { mediaTypes } from "../../src/spec/oci-image.ts";
import { messageOf, request, useProduct } from "../api/engine-fixture.ts";
import { ScriptedRegistry } from "../registry/scripted-registry.ts";
import { busyboxLayer, tarOfFiles } from "./layer-tar.ts";

interface Summary {
  readonly ID: string;
  readonly Descriptor: { readonly digest: string; readonly platform?: object; readonly annotations?: object };
  readonly Available: boolean;
  readonly Size: { readonly Content: number; readonly Total: number };
  readonly Kind: string;
  readonly ImageData?: {
    readonly Platform: object;
    readonly Containers: string[];
    readonly Size: { Unpacked: number };
  };
  readonly AttestationData?: { readonly For: string };
}

interface Shown {
  readonly Id: string;
  readonly Size: number;
  readonly RepoTags: readonly string[];
  readonly Descriptor: { readonly digest: string; readonly size: number; readonly mediaType: string };
  readonly Manifests: readonly Summary[];
}

const product = useProduct();
let registry: ScriptedRegistry;
const image = (tag: string) => `${registry.host}/test/many:${tag}`;
const amd64 = { architecture: "amd64", os: "linux" };
const arm64 = { architecture: "arm64", os: "linux" };
const unknown = { architecture: "unknown", os: "unknown" };
type Made = ReturnType<ScriptedRegistry["addImage"]>;
let here: Made;
let other: Made;
let statement: Made;
let index: string;
/** An image's own bytes, as the registry has them. */
let bytesOf: (made: Made) => number;

beforeAll(async () => {
  registry = await ScriptedRegistry.open();
  const shared = tarOfFiles({ shared: "by both" });
  here = registry.addImage("amd", [busyboxLayer(), shared], { Cmd: ["sleep", "1000"] });
  other = registry.addImage("arm", [tarOfFiles({ arm: "only" }), shared], {}, "arm64");
  statement = registry.addImage("statement", [tarOfFiles({ statement: "of how it was built" })], {}, "unknown");
  const sizeOf = (digest: string): number | undefined =>
    registry.manifests.get(digest)?.bytes.length ?? registry.blobs.get(digest)?.length;
  bytesOf = ({ manifest, config, layers }) =>
    [manifest, config, ...layers].reduce((sum, digest) => sum + (sizeOf(digest) ?? Number.NaN), 0);
  const about = { "vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": here.manifest };
  const entries = [
    { digest: statement.manifest, platform: unknown, annotations: about },
    { digest: other.manifest, platform: arm64 },
    { digest: here.manifest, platform: amd64 },
  ];
  const document = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: entries.map((entry) => ({ mediaType: mediaTypes.ociManifest, size: sizeOf(entry.digest), ...entry })),
  };
  index = registry.addManifest(document, mediaTypes.ociIndex, "1");
  await product().ok("pull", "-q", image("1"));
});
afterAll(() => registry[Symbol.asyncDispose]());

async function shown(path: string): Promise<Shown> {
  const { body } = await request(product(), "GET", `/v1.51/images/${path}`);
  const answer = JSON.parse(body.replace(/^[0-9a-f]+\r\n|\r\n0\r\n\r\n$/g, ""));
  return Array.isArray(answer) ? answer.find(({ RepoTags }: Shown) => RepoTags.includes(image("1"))) : answer;
}

test("the platform that came is there in full, the other one and the statement are named", async () => {
  const container = await product().ok("create", image("1"));
  const { Id, Descriptor, Manifests, Size } = await shown(`${image("1")}/json?manifests=1`);
  expect([Id, Descriptor.digest, Descriptor.mediaType]).toEqual([here.config, index, mediaTypes.ociIndex]);
  expect(Descriptor.size).toBe(registry.manifests.get(index)?.bytes.length as number);
  expect(Manifests.map(({ ID, Kind, Available }) => [ID, Kind, Available])).toEqual([
    [here.manifest, "image", true],
    [statement.manifest, "attestation", false],
    [other.manifest, "image", false],
  ]);
  const [own, attested, absent] = Manifests as [Summary, Summary, Summary];
  expect(own.Size).toEqual({ Content: bytesOf(here), Total: bytesOf(here) + Size });
  expect(own.ImageData).toEqual({ Platform: amd64, Containers: [container], Size: { Unpacked: Size } });
  expect(own.Descriptor).toMatchObject({ digest: here.manifest, platform: amd64 });
  expect(attested.AttestationData).toEqual({ For: here.manifest });
  expect(attested.Descriptor.annotations).toMatchObject({ "vnd.docker.reference.digest": here.manifest });
  expect(absent.Size).toEqual({ Content: 0, Total: 0 });
  expect(absent.ImageData).toEqual({ Platform: arm64, Containers: [], Size: { Unpacked: 0 } });
  const listed = await shown("json?manifests=1");
  expect([listed.Descriptor, listed.Manifests]).toEqual([Descriptor, Manifests]);
  const plain = await shown(`${image("1")}/json`);
  expect([plain.Descriptor, plain.Manifests]).toEqual([Descriptor, undefined as never]);
  await product().ok("rm", container);
});

test("what is there of the other platform is counted, and all of it when it was pulled too", async () => {
  const { manifest, config, layers } = other;
  const ofOther = async () =>
    (await shown(`${image("1")}/json?manifests=1`)).Manifests.find(({ ID }) => ID === manifest);
  await product().ok("pull", "-q", "--platform", "linux/arm64", image("arm"));
  const whole = bytesOf(other);
  const unpacked = (await shown(`${config}/json`)).Size;
  expect(await ofOther()).toMatchObject({ Available: true, Size: { Content: whole, Total: whole + unpacked } });
  const blob = `${product().stateDir}/content/blobs/sha256/${layers[0]?.slice(7)}`;
  const missing = registry.blobs.get(layers[0] ?? "")?.length ?? Number.NaN;
  rmSync(blob);
  expect(await ofOther()).toMatchObject({ Available: false, Size: { Content: whole - missing } });
});

test("without an index it is the image's own manifest; whoever asks for a platform as well is refused", async () => {
  await product().ok("pull", "-q", image("amd"));
  await product().ok("rmi", image("1"));
  const { Descriptor, Manifests } = await shown(`${image("amd")}/json?manifests=1`);
  expect(Descriptor).toEqual({
    mediaType: mediaTypes.ociManifest,
    digest: here.manifest,
    size: registry.manifests.get(here.manifest)?.bytes.length as number,
  });
  expect(Manifests.map(({ ID, Available }) => [ID, Available])).toEqual([[here.manifest, true]]);
  const both = await request(product(), "GET", `/v1.51/images/${image("amd")}/json?manifests=1&platform=linux/amd64`);
  expect([both.status, messageOf(both)]).toEqual([
    400,
    'invalid parameter platform "linux/amd64": expected none where manifests are asked for',
  ]);
});
