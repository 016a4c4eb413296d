/** Layers in every form that a registry has them in: OCI's and Docker's types, compressed or not, empty, or none at all. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { mediaTypes } from "../../src/spec/oci-image.ts";
import { useProduct } from "../api/engine-fixture.ts";
import { runProgram } from "../product.ts";
import { DockerRegistry } from "../registry/docker-registry.ts";
import { digestOf, ScriptedRegistry } from "../registry/scripted-registry.ts";
import { busyboxLayer, tarOfFiles } from "./layer-tar.ts";

const product = useProduct();
let registry: ScriptedRegistry;
const name = (tag: string) => `${registry.host}/test/layers:${tag}`;
/** What Docker puts in the place of a step that changes no file. */
const emptyTar = Buffer.alloc(1024);

interface Layer {
  readonly tar: Buffer;
  readonly type: string;
  readonly blob: Buffer;
}

const oci = "application/vnd.oci.image.layer.v1.tar";
const dockers = "application/vnd.docker.image.rootfs.diff.tar";
const forms: Readonly<Record<string, (tar: Buffer) => Layer>> = {
  "OCI, not compressed": (tar) => ({ tar, type: oci, blob: tar }),
  "OCI, gzip": (tar) => ({ tar, type: `${oci}+gzip`, blob: gzipSync(tar) }),
  "OCI, zstd": (tar) => ({ tar, type: `${oci}+zstd`, blob: zstdCompressSync(tar) }),
  "Docker, not compressed": (tar) => ({ tar, type: dockers, blob: tar }),
  "Docker, gzip": (tar) => ({ tar, type: `${dockers}.gzip`, blob: gzipSync(tar) }),
  "Docker, zstd": (tar) => ({ tar, type: `${dockers}.zstd`, blob: zstdCompressSync(tar) }),
  "gzip in two members": (tar) => {
    const half = tar.length >> 1;
    return {
      tar,
      type: `${oci}+gzip`,
      blob: Buffer.concat([gzipSync(tar.subarray(0, half)), gzipSync(tar.subarray(half))]),
    };
  },
};

beforeAll(async () => {
  registry = await ScriptedRegistry.open();
});
afterAll(() => registry[Symbol.asyncDispose]());

function add(tag: string, layers: readonly Layer[], isDockers = false): void {
  const rootfs = { type: "layers", diff_ids: layers.map(({ tar }) => digestOf(tar)) };
  const config = Buffer.from(JSON.stringify({ os: "linux", architecture: "amd64", config: { Cmd: ["ls"] }, rootfs }));
  const describe = (mediaType: string, bytes: Buffer) => ({
    mediaType,
    digest: registry.addBlob(bytes),
    size: bytes.length,
  });
  const mediaType = isDockers ? mediaTypes.dockerManifest : mediaTypes.ociManifest;
  const document = {
    schemaVersion: 2,
    mediaType,
    config: describe(isDockers ? mediaTypes.dockerConfig : mediaTypes.ociConfig, config),
    layers: layers.map(({ type, blob }) => describe(type, blob)),
  };
  registry.addManifest(document, mediaType, tag);
}

/** One symbolic link. */
function tarOfLink(path: string, target: string): Buffer {
  const folder = mkdtempSync(join(tmpdir(), "orlop-link-"));
  try {
    symlinkSync(target, join(folder, path));
    return execFileSync("tar", ["-C", folder, "-c", path]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test.each(Object.keys(forms))("a layer that is %s, with an empty one above it", async (form) => {
  const as = forms[form] as (tar: Buffer) => Layer;
  const tag = form.toLowerCase().replace(/[^a-z]+/g, "-");
  add(
    tag,
    [as(busyboxLayer()), as(emptyTar), as(tarOfFiles({ [tag]: form })), as(emptyTar)],
    form.startsWith("Docker"),
  );
  expect(await product().ok("run", "--rm", "--pull", "always", name(tag), "cat", `/${tag}`)).toContain(form);
});

test("a directory of the name of a link in the layer below takes its place, and nobody writes through the link", async () => {
  const outside = mkdtempSync(join(tmpdir(), "orlop-outside-"));
  try {
    const linked = tarOfLink("d", outside);
    const forms = [busyboxLayer(), linked, tarOfFiles({ "d/file": "inside" })];
    add(
      "linked",
      forms.map((tar) => ({ tar, type: oci, blob: tar })),
    );
    const shown = await product().ok(
      "run",
      "--rm",
      "--pull",
      "always",
      name("linked"),
      "sh",
      "-c",
      "cat /d/file; test -L /d || echo .",
    );
    expect(shown).toBe("inside.");
    expect(readdirSync(outside)).toEqual([]);
  } finally {
    rmSync(outside, { recursive: true });
  }
});

test("an image without layers can be had, and a container of it made", async () => {
  add("none", []);
  await product().ok("pull", "-q", name("none"));
  const container = await product().ok("create", name("none"), "/none");
  const started = await product().run(["start", "-a", container]);
  expect(started.stderr).toContain("/none");
  await product().ok("rm", container);
});

test("what docker-registry and skopeo make of them comes back the same", async () => {
  await using real = await DockerRegistry.open();
  for (const [i, format] of ["oci", "v2s2"].entries()) {
    const copied = `${real.host}/test/layers:${i}`;
    const words = ["copy", "-q", "--format", format, "--src-tls-verify=false", "--dest-tls-verify=false"];
    const done = await runProgram(["skopeo", ...words, `docker://${name("oci-gzip")}`, `docker://${copied}`]);
    expect([done.exitCode, done.stderr]).toEqual([0, ""]);
    expect(await product().ok("run", "--rm", copied, "cat", "/oci-gzip")).toBe("OCI, gzip");
  }
});

test.each([
  [
    "xz, whatever its type says",
    Buffer.from("fd377a585a000004e6d6b446", "hex"),
    `${oci}+gzip`,
    "xz compression is not supported",
  ],
  ["bzip2", Buffer.from("425a6839314159265359", "hex"), oci, "bzip2 compression is not supported"],
  ["of a type that nobody knows", emptyTar, `${oci}+xz`, `a layer of type ${oci}+xz`],
])("a layer that is %s is refused by name", async (what, blob, type, words) => {
  const tag = what.split(/[ ,]/)[0] ?? "";
  add(`bad-${tag}`, [{ tar: tarOfFiles({ tag }), type, blob }]);
  const { exitCode, stderr } = await product().run(["pull", "-q", name(`bad-${tag}`)]);
  expect([exitCode, stderr]).toEqual([1, expect.stringContaining(words)]);
});
