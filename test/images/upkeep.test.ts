/** What images take of the disk, and whether it is still what it was. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { closeSync, openSync, readdirSync, rmSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { docker, request, useProduct } from "../api/engine-fixture.ts";
import { testWhere } from "../kernel/harness.ts";
import { ScriptedRegistry } from "../registry/scripted-registry.ts";
import { busyboxLayer, tarOfFiles } from "./layer-tar.ts";

const product = useProduct();
let registry: ScriptedRegistry;
let image: { manifest: string; config: string; layers: string[] };
const name = (tag: string) => `${registry.host}/test/box:${tag}`;
const blobOf = (digest: string) => join(product().stateDir, "content/blobs/sha256", digest.slice("sha256:".length));
const check = (...words: string[]) => product().run(["system", "check", ...words]);

/** Changes one byte in the middle. */
function damage(path: string): void {
  const fd = openSync(path, "r+");
  writeSync(fd, Buffer.from([0xa5]), 0, 1, Math.floor(statSync(path).size / 2));
  closeSync(fd);
}

beforeAll(async () => {
  registry = await ScriptedRegistry.open();
  const base = busyboxLayer();
  image = registry.addImage("1", [base, tarOfFiles({ one: "1".repeat(1000) })], { Cmd: ["true"] });
  registry.addImage("2", [base, tarOfFiles({ two: "2".repeat(500) })], { Cmd: ["true"] });
  await product().ok("pull", "-q", name("1"));
  await product().ok("pull", "-q", name("2"));
});
afterAll(() => registry[Symbol.asyncDispose]());

testWhere("docker")("df adds up: what images have alone, what they share, and the blobs", async () => {
  await product().ok("run", "--name", "user", name("1"), "sh", "-c", "head -c 5000 /dev/zero >/made");
  const { body } = await request(product(), "GET", "/v1.41/system/df");
  const usage = JSON.parse(body);
  const [one, two] = ["1", "2"].map((tag) =>
    usage.Images.find((found: { RepoTags: string[] }) => found.RepoTags.includes(name(tag))),
  );
  expect([one.Size - one.SharedSize, two.Size - two.SharedSize]).toEqual([1000, 500]);
  expect(one.SharedSize).toBe(two.SharedSize);
  expect(usage.LayersSize).toBe(one.SharedSize + 1500);
  const folder = join(product().stateDir, "content/blobs/sha256");
  expect(usage.BlobsSize).toBe(readdirSync(folder).reduce((sum, file) => sum + statSync(join(folder, file)).size, 0));
  expect([one.Containers, two.Containers, usage.BuilderSize]).toEqual([1, 0, 0]);
  expect(usage.Containers[0].SizeRw).toBeGreaterThanOrEqual(5000);
  expect(usage.Containers[0].SizeRootFs - usage.Containers[0].SizeRw).toBe(one.Size);
  const only = JSON.parse((await request(product(), "GET", "/system/df?type=volume")).body);
  expect(Object.keys(only)).toEqual(["Volumes"]);
  expect((await docker(product(), ["system", "df"])).stdout).toMatch(/^Images +2 +1 /m);
  expect(await product().ok("system", "df")).toMatch(/^Containers +1 +0 +/m);
  await product().ok("rm", "user");
});

test("a store that is whole is told so", async () => {
  expect(await check()).toMatchObject({ exitCode: 0, stdout: "10 checked, 0 damaged\n" });
});

test.each(["layer", "configuration", "manifest"] as const)("a damaged %s is found, and brought again", async (what) => {
  const digest = { layer: image.layers[1], configuration: image.config, manifest: image.manifest }[what] ?? "";
  damage(blobOf(digest));
  const found = await check();
  expect([found.exitCode, found.stdout]).toEqual([1, expect.stringContaining(`blob ${digest} of`)]);
  expect(found.stdout).toContain("10 checked, 1 damaged");
  const mended = await check("--repair");
  expect([mended.exitCode, mended.stdout]).toEqual([0, expect.stringContaining("damaged, and brought again")]);
  expect((await check()).exitCode).toBe(0);
  expect(await product().ok("run", "--rm", name("1"), "cat", "/one")).toBe("1".repeat(1000));
});

test("what no registry has stays damaged, and is said", async () => {
  rmSync(blobOf(image.layers[1] ?? ""));
  const blob = registry.blobs.get(image.layers[1] ?? "") as Buffer;
  registry.blobs.delete(image.layers[1] ?? "");
  const tried = await check("--repair");
  expect([tried.exitCode, tried.stdout]).toEqual([1, expect.stringContaining("no registry of its names has it")]);
  registry.blobs.set(image.layers[1] ?? "", blob);
  expect((await check("--repair")).exitCode).toBe(0);
});

test("a layer whose files are gone is unpacked again", async () => {
  const layer = join(product().stateDir, "layers", (image.layers[1] ?? "").slice("sha256:".length));
  rmSync(layer, { recursive: true });
  expect((await check()).stdout).toContain(`unpacked layer ${image.layers[1]}`);
  expect((await check("--repair")).stdout).toContain("missing, and unpacked again");
  expect(await product().ok("run", "--rm", name("1"), "cat", "/one")).toBe("1".repeat(1000));
});
