/** One name for several platforms: the index as it came, and of what it names as much as was asked for. */

import { Database } from "bun:sqlite";
import { afterAll, beforeAll, expect } from "bun:test";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mediaTypes } from "../../src/spec/oci-image.ts";
import { docker, messageOf, request, useProduct } from "../api/engine-fixture.ts";
import { testWhere } from "../kernel/harness.ts";
import { Product, runProgram } from "../product.ts";
import { DockerRegistry } from "../registry/docker-registry.ts";
import { ScriptedRegistry } from "../registry/scripted-registry.ts";
import { busyboxLayer, tarOfFiles } from "./layer-tar.ts";

const test = testWhere("docker28");
const product = useProduct();
let source: ScriptedRegistry;
let registry: DockerRegistry;
let folder: string;
type Made = ReturnType<ScriptedRegistry["addImage"]>;
let amd: Made;
let arm: Made;
let index: string;
const name = () => `${source.host}/test/many:1`;
const cli = (...words: string[]) => docker(product(), words, { env: { DOCKER_CONFIG: folder } });
const pull = (platform: string, reference = name()) => product().ok("pull", "-q", "--platform", platform, reference);
const idOf = async (reference: string, ...flags: string[]): Promise<string> =>
  JSON.parse(await product().ok("image", "inspect", "-f", "json", ...flags, reference)).Id;
const rows = async () =>
  (await product().engine.images.list()).filter(({ Id }) => Id === amd.config || Id === arm.config);
const blobs = (of = product()) => readdirSync(join(of.stateDir, "content/blobs/sha256"));

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "orlop-platforms-"));
  [source, registry] = await Promise.all([ScriptedRegistry.open(), DockerRegistry.open()]);
  const shared = busyboxLayer();
  amd = source.addImage("amd", [shared, tarOfFiles({ which: "amd" })], { Cmd: ["cat", "/which"] });
  arm = source.addImage("arm", [shared, tarOfFiles({ which: "arm" })], { Cmd: ["cat", "/which"] }, "arm64");
  index = source.addIndex("1", [arm, "arm64"], [amd, "amd64"]);
});
afterAll(async () => {
  await Promise.all([source[Symbol.asyncDispose](), registry[Symbol.asyncDispose]()]);
  rmSync(folder, { recursive: true });
});

test("a second platform comes beside the first: one image in a list, whose id is this machine's platform's", async () => {
  await pull("linux/arm64");
  expect(await idOf(name())).toBe(arm.config);
  expect(await product().ok("pull", name())).toContain("Downloaded newer image");
  expect(await product().ok("pull", "--platform", "linux/arm64", name())).toContain("Image is up to date");
  expect(await idOf(name())).toBe(amd.config);
  expect(await idOf(name(), "--platform", "linux/arm64")).toBe(arm.config);
  const own = JSON.parse(await product().ok("image", "inspect", "-f", "json", name())).Size;
  const [row, ...others] = await rows();
  expect(others).toEqual([]);
  expect(row).toMatchObject({
    Id: amd.config,
    RepoTags: [name()],
    RepoDigests: [`${source.host}/test/many@${index}`],
    Size: own + "arm".length, // the layer that both have counts once
  });
  const [listed] = (await product().ok("images", "--no-trunc")).split("\n").filter((line) => line.includes("many"));
  expect(listed).toContain(amd.config.slice("sha256:".length));
  const tree = await cli("images", "--tree", name());
  expect(tree.stdout).toContain("linux/amd64");
  expect(tree.stdout).toContain("linux/arm64");
  const drawn = await product().ok("images", "--tree", name());
  expect(drawn.split("\n").map((line) => line.split(/ {3,}/).slice(0, 2))).toEqual([
    ["IMAGE", "ID"],
    [name(), amd.config.slice(7, 19)],
    ["├─ linux/arm64", arm.manifest.slice(7, 19)],
    ["└─ linux/amd64", amd.manifest.slice(7, 19)],
  ]);
  expect(await idOf(arm.manifest.slice(7, 19))).toBe(arm.config);
  const history = await product().engine.images.history(name(), "linux/arm64");
  expect(history[0]).toMatchObject({ Id: arm.config, Tags: [name()] });
  const nowhere = await product().run(["image", "inspect", "--platform", "linux/s390x", name()]);
  expect(nowhere.stderr).toContain("(linux/s390x): it is for linux/amd64, linux/arm64");
});

test("containers run from either, and both are found by the name", async () => {
  const run = async (...words: string[]) => (await product().ok("run", ...words)).trim();
  expect(await run("--name", "one", name())).toBe("amd");
  expect(await run("--name", "two", "--platform", "linux/arm64", name())).toBe("arm");
  expect((await cli("run", "--rm", "--platform", "linux/arm64", name())).stdout).toBe("arm");
  const found = async (ancestor: string) => {
    const list = await product().engine.containers.list({ all: true, filters: { ancestor: [ancestor] } });
    return list.flatMap(({ Names }) => Names).sort();
  };
  expect(await found(name())).toEqual(["/one", "/two"]);
  expect(await found(arm.config)).toEqual(["/two"]);
  expect(await found(index)).toEqual(["/one", "/two"]);
  const used = await product().run(["rmi", "--platform", "linux/arm64", name()]);
  expect(used.stderr).toContain("image is being used by stopped container");
  const inUse = await product().run(["rmi", name()]);
  expect(inUse.stderr).toContain("(must force) - container");
  await product().ok("rm", "one", "two");
});

test("push sends the index as it came, with all that it names", async () => {
  const pushed = `${registry.host}/test/many:2`;
  await product().ok("tag", name(), pushed);
  expect((await cli("push", pushed)).stdout).toContain(`2: digest: ${index} size: `);
  const raw = execFileSync("skopeo", ["inspect", "--raw", "--tls-verify=false", `docker://${pushed}`]);
  expect(`sha256:${createHash("sha256").update(raw).digest("hex")}`).toBe(index);
  execFileSync("skopeo", ["copy", "--all", "--src-tls-verify=false", `docker://${pushed}`, `dir:${folder}/copied`]);
  const alone = await cli("push", "--platform", "linux/arm64", pushed);
  expect(alone.stdout).toContain(`2: digest: ${arm.manifest} size: `);
  await product().ok("rmi", pushed);
  expect(await idOf(name())).toBe(amd.config);
});

test("save writes all of it, and load brings the same back; of one platform its manifest alone", async () => {
  const archive = join(folder, "many.tar");
  await product().ok("save", "-o", archive, name());
  execFileSync("skopeo", ["copy", `oci-archive:${archive}`, `dir:${folder}/from-oci`]);
  execFileSync("skopeo", ["copy", `docker-archive:${archive}`, `dir:${folder}/from-docker`]);
  const other = new Product(join(folder, "other"));
  try {
    expect(await other.ok("load", "-i", archive)).toBe(`Loaded image: ${name()}`);
    const inspected = async (...flags: string[]) =>
      JSON.parse(await other.ok("image", "inspect", "-f", "json", ...flags, name()));
    expect(await inspected()).toMatchObject({ Id: amd.config, Descriptor: { digest: index } });
    expect((await inspected("--platform", "linux/arm64")).Id).toBe(arm.config);
    expect((await other.ok("run", "--rm", "--platform", "linux/arm64", name())).trim()).toBe("arm");
    expect((await other.ok("rmi", name())).match(/^Deleted: .*/gm)).toContain(`Deleted: ${arm.config}`);
    expect(blobs(other)).toEqual([]);
    const one = join(folder, "arm.tar");
    expect((await cli("save", "--platform", "linux/arm64", "-o", one, name())).exitCode).toBe(0);
    await other.ok("load", "-i", one);
    expect(await inspected()).toMatchObject({ Id: arm.config, Descriptor: { digest: arm.manifest } });
    await other.ok("load", "--platform", "linux/arm64", "-i", archive);
    expect(await inspected()).toMatchObject({ Id: arm.config, Descriptor: { digest: index } });
  } finally {
    await other.stop();
  }
});

test("what skopeo writes with all platforms is loaded; statements stay with their image, and are pushed and saved with it", async () => {
  const statement = source.addImage("statement", [tarOfFiles({ statement: "how it was built" })], {}, "unknown");
  const stated = source.addIndex("stated", [amd, "amd64"], [arm, "arm64"], [statement, "unknown", amd.manifest]);
  const archive = join(folder, "stated.tar");
  const origin = `docker://${source.host}/test/many:stated`;
  const into = `oci-archive:${archive}:x.io/stated:1`;
  const copied = await runProgram([
    "skopeo",
    "copy",
    "-q",
    "--all",
    "--preserve-digests",
    "--src-tls-verify=false",
    origin,
    into,
  ]);
  expect([copied.exitCode, copied.stderr]).toEqual([0, ""]);
  expect(await product().ok("load", "-i", archive)).toBe("Loaded image: x.io/stated:1");
  await product().ok("image", "prune", "-f");
  const pushed = `${registry.host}/test/stated:1`;
  await product().ok("tag", "x.io/stated:1", pushed);
  expect(await product().ok("push", pushed)).toContain(`digest: ${stated}`);
  execFileSync("skopeo", ["copy", "--all", "--src-tls-verify=false", `docker://${pushed}`, `dir:${folder}/stated`]);
  rmSync(join(product().stateDir, "content/blobs/sha256", statement.layers[0]?.slice(7) ?? ""));
  expect(await product().ok("system", "check", "--repair")).toContain("damaged, and brought again");
  await product().ok("save", "-o", archive, pushed);
  expect(execFileSync("tar", ["-tf", archive], { encoding: "utf8" })).toContain(statement.manifest.slice(7));
  await product().ok("rmi", pushed, "x.io/stated:1");
  // the statement goes with its image, at the end of the next test
  expect(await idOf(name())).toBe(amd.config);
});

test("one platform is removed alone; what is left is pushed instead of the index, and said so", async () => {
  const removed = await cli("rmi", "--platform", "linux/arm64", name());
  expect([removed.exitCode, removed.stdout.split("\n")[0]]).toEqual([0, `Deleted: ${arm.config}`]);
  expect(blobs()).not.toContain(arm.manifest.slice(7));
  expect(await idOf(name())).toBe(amd.config);
  const gone = await product().run(["rmi", "--platform", "linux/arm64", name()]);
  expect(gone.stderr).toContain("does not provide the specified platform (linux/arm64): it is for linux/amd64");
  expect((await cli("run", "--rm", "--platform", "linux/arm64", name())).stdout).toBe("arm"); // it is pulled again
  await product().ok("rmi", "--platform", "linux/arm64", name());
  expect(await product().ok("run", "--rm", "-q", "--platform", "linux/arm64", name())).toBe("arm");
  await product().ok("rmi", "--platform", "linux/arm64", name());
  const pushed = `${registry.host}/test/part:1`;
  await product().ok("tag", name(), pushed);
  const said = await cli("push", pushed);
  expect(said.stdout).toContain(`1: digest: ${amd.manifest} size: `);
  expect(said.stdout).toContain("only the available single-platform image was pushed");
  expect(await product().ok("push", pushed)).toContain(`Not all of index ${index} is here`);
  await product().ok("rmi", pushed);
  await pull("linux/arm64");
  await product().ok("rmi", "--platform", "linux/amd64", name());
  expect(await idOf(name())).toBe(arm.config);
  await product().ok("rmi", "--platform", "linux/arm64", name());
  expect((await rows()).length).toBe(0);
  expect(blobs()).toEqual([]);
});

test("the name goes with all of its platforms, and nothing of them stays", async () => {
  await Promise.all([pull("linux/arm64"), pull("linux/amd64")]);
  const lines = (await product().ok("rmi", name())).split("\n");
  expect(lines).toContain(`Deleted: ${amd.config}`);
  expect(lines).toContain(`Deleted: ${arm.config}`);
  expect(blobs()).toEqual([]);
  expect(readdirSync(join(product().stateDir, "layers")).filter((entry) => /^[0-9a-f]{64}$/.test(entry))).toEqual([]);
});

test("a container keeps its platform when the name goes; without a name both are one image still", async () => {
  await Promise.all([pull("linux/arm64"), pull("linux/amd64")]);
  const container = await product().ok("create", "--platform", "linux/arm64", name());
  await product().ok("rmi", "-f", name());
  expect(await rows()).toEqual([]);
  await product().ok("rm", container);
  await pull("linux/arm64");
  const running = await product().ok("run", "-d", "--platform", "linux/arm64", name(), "sleep", "1000");
  await product().ok("rmi", "-f", name());
  expect(await rows()).toMatchObject([{ Id: arm.config, RepoTags: [] }]);
  await product().ok("rm", "-f", running);
  await product().ok("rmi", arm.config);
  expect(blobs()).toEqual([]);
});

test("an index that moved on takes what has not changed with it", async () => {
  await pull("linux/amd64");
  await pull("linux/arm64");
  const next = source.addImage("next", [busyboxLayer(), tarOfFiles({ which: "next" })], {}, "arm64");
  const moved = source.addIndex("1", [next, "arm64"], [amd, "amd64"]);
  await pull("linux/arm64");
  expect(await idOf(name())).toBe(amd.config);
  expect(await idOf(name(), "--platform", "linux/arm64")).toBe(next.config);
  const { body } = await request(product(), "GET", `/v1.51/images/${name()}/json?manifests=1`);
  const { Descriptor, Manifests } = JSON.parse(body.replace(/^[0-9a-f]+\r\n|\r\n0\r\n\r\n$/g, ""));
  expect(Descriptor.digest).toBe(moved);
  expect(Manifests.map(({ ID, Available }: { ID: string; Available: boolean }) => [ID, Available])).toEqual([
    [next.manifest, true],
    [amd.manifest, true],
  ]);
  await product().ok("rmi", name());
  expect(blobs()).toEqual([]);
});

test("the same image under another manifest is the same id, and each name keeps its own digest", async () => {
  source.addIndex("1", [arm, "arm64"], [amd, "amd64"]);
  await pull("linux/amd64");
  const own = source.manifests.get(amd.manifest)?.bytes.toString() ?? "";
  const described = JSON.stringify({ ...JSON.parse(own), annotations: { another: "description" } });
  const again = source.addManifest(described, mediaTypes.ociManifest, "again");
  const second = `${source.host}/test/many:again`;
  await product().ok("pull", "-q", second);
  expect([await idOf(name()), await idOf(second)]).toEqual([amd.config, amd.config]);
  const targetOf = async (reference: string) =>
    JSON.parse(await product().ok("image", "inspect", "-f", "json", reference)).Descriptor.digest;
  expect([await targetOf(name()), await targetOf(second)]).toEqual([index, again]);
  const pushed = `${registry.host}/test/again:1`;
  await product().ok("tag", second, pushed);
  expect(await product().ok("push", pushed)).toContain(`digest: ${again}`);
  await product().ok("rmi", second, `${source.host}/test/many@${again}`);
  expect(blobs()).toContain(again.slice(7));
  await product().ok("rmi", pushed);
  expect(blobs()).not.toContain(again.slice(7));
  expect(await targetOf(name())).toBe(index);
  await product().ok("rmi", name());
  expect(blobs()).toEqual([]);
});

test("platforms that come and go at the same time leave a store that is whole", async () => {
  for (let round = 0; round < 4; round++) {
    await Promise.all([
      pull("linux/arm64"),
      product().run(["rmi", "--platform", "linux/arm64", name()]),
      pull("linux/amd64"),
      product().run(["rmi", name()]),
      product().run(["image", "prune", "-f"]),
      pull("linux/arm64"),
    ]);
    expect(await product().ok("system", "check")).toContain(", 0 damaged");
  }
  await Promise.all([pull("linux/arm64"), pull("linux/amd64")]);
  expect([await idOf(name()), await idOf(name(), "--platform", "linux/arm64")]).toEqual([amd.config, arm.config]);
  await product().ok("rmi", name());
  await product().ok("image", "prune", "-af");
  expect(blobs()).toEqual([]);
});

test("what is damaged of another platform, or of the index, is found and brought again", async () => {
  await Promise.all([pull("linux/arm64"), pull("linux/amd64")]);
  for (const digest of [index, arm.manifest, arm.config, arm.layers[1] ?? ""]) {
    rmSync(join(product().stateDir, "content/blobs/sha256", digest.slice(7)));
    const found = await product().run(["system", "check"]);
    expect([found.exitCode, found.stdout]).toEqual([1, expect.stringContaining(`blob ${digest} of ${name()}`)]);
    expect(await product().ok("system", "check", "--repair")).toContain("damaged, and brought again");
  }
  const usage = JSON.parse((await request(product(), "GET", "/v1.51/system/df?type=image")).body);
  const [row, ...others] = usage.Images;
  expect([row.RepoTags, row.Size, row.SharedSize, others]).toEqual([[name()], usage.LayersSize, 0, []]);
  await product().ok("rmi", name());
});

test("records of before, when the last pull of a name was all that it meant, are read", async () => {
  await pull("linux/amd64");
  await pull("linux/arm64");
  await product().stop();
  const database = new Database(join(product().stateDir, "orlop.db"));
  database.run(
    `UPDATE records SET record = json_set(record, '$.image', '${arm.config}') WHERE kind = 'tag' AND record LIKE '%${index}%'`,
  );
  expect(database.query("SELECT changes() AS changed").get()).toEqual({ changed: 2 });
  database.close();
  expect(await idOf(name())).toBe(amd.config);
  expect(await idOf(name(), "--platform", "linux/arm64")).toBe(arm.config);
  const both = await request(
    product(),
    "DELETE",
    `/v1.51/images/${name()}?platforms=linux/amd64&platforms=linux/s390x`,
  );
  expect([both.status, messageOf(both)]).toEqual([404, expect.stringContaining("(linux/s390x)")]);
  expect(await idOf(name())).toBe(amd.config);
  await product().ok("rmi", name());
});
