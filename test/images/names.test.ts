/** Names and removal, in Docker's order and words; history, filters, prune. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { messageOf, request, useProduct } from "../api/engine-fixture.ts";
import { ScriptedRegistry } from "../registry/scripted-registry.ts";
import { busyboxLayer, tarOfFiles } from "./layer-tar.ts";

const product = useProduct();
let registry: ScriptedRegistry;
let base: Buffer;
const name = (tag: string) => `${registry.host}/test/box:${tag}`;
const ok = (...words: string[]) => product().ok(...words);
const ask = (method: string, path: string, body?: unknown) => request(product(), method, path, body);
const blobs = () => readdirSync(`${product().stateDir}/content/blobs/sha256`).length;
const layers = () => readdirSync(`${product().stateDir}/layers`).filter((entry) => entry.length === 64).length;

beforeAll(async () => {
  registry = await ScriptedRegistry.open();
  base = busyboxLayer();
  registry.addImage("1", [base, tarOfFiles({ one: "1" })], { Cmd: ["true"], Labels: { keep: "yes" } });
  registry.addImage("2", [base, tarOfFiles({ two: "2" })], { Cmd: ["true"] });
});
afterAll(() => registry[Symbol.asyncDispose]());

test("an image goes with its last name, and of its layers those that nobody else has", async () => {
  await ok("pull", "-q", name("1"));
  await ok("pull", "-q", name("2"));
  expect([blobs(), layers()]).toEqual([7, 3]);
  const said = (await ok("rmi", name("2"))).split("\n");
  expect(said[0]).toBe(`Untagged: ${name("2")}`);
  expect(said[1]).toMatch(/^Untagged: .*@sha256:/);
  expect(said.slice(2).map((line) => line.split(":")[0])).toEqual(["Deleted", "Deleted"]);
  expect([blobs(), layers()]).toEqual([4, 2]);
  expect(await ok("run", "--rm", name("1"), "cat", "/one")).toBe("1");
});

test("a second name takes nothing away with it", async () => {
  await ok("tag", name("1"), "other:a");
  expect(await ok("images", "-q", "other")).toBe(await ok("images", "-q", name("1")));
  const id = await ok("images", "-q", "--no-trunc", "other");
  const refused = await ask("DELETE", `/images/${id}`);
  expect([refused.status, messageOf(refused)]).toEqual([
    409,
    `conflict: unable to delete ${id.slice(7, 19)} (must be forced) - image is referenced in multiple repositories`,
  ]);
  expect(await ok("rmi", "other:a")).toBe("Untagged: other:a");
  expect((await ask("POST", "/images/none/tag?repo=x")).status).toBe(404);
  expect(messageOf(await ask("POST", `/images/${name("1")}/tag?repo=Bad&tag=x`))).toContain("must be lowercase");
});

test("what a container uses is in the way, unless it is forced", async () => {
  const container = await ok("create", name("1"), "sleep", "100");
  const id = (await ok("images", "-q", "--no-trunc", name("1"))).trim();
  const [shortImage, shortContainer] = [id.slice(7, 19), container.slice(0, 12)];
  const message = async (target: string, query = "") => messageOf(await ask("DELETE", `/images/${target}${query}`));
  expect(await message(name("1"))).toBe(
    `conflict: unable to remove repository reference "${name("1")}" (must force) - container ${shortContainer} is using its referenced image ${shortImage}`,
  );
  expect(await message(id)).toBe(
    `conflict: unable to delete ${shortImage} (must be forced) - image is being used by stopped container ${shortContainer}`,
  );
  await ok("start", container);
  expect(await message(id, "?force=1")).toBe(
    `conflict: unable to delete ${shortImage} (cannot be forced) - image is being used by running container ${shortContainer}`,
  );
  expect((await ok("rmi", "-f", name("1"))).split("\n")[0]).toBe(`Untagged: ${name("1")}`);
  expect(await ok("images", "-q", "--filter", "dangling=true")).toBe(id.slice(7, 19));
  await ok("stop", "-t", "0", container);
  expect(await ok("rmi", "-f", id)).toContain(`Deleted: ${id}`);
  // the container has its layers all the same
  expect(layers()).toBe(2);
  await ok("start", container);
  await ok("rm", "-f", container);
  await ok("image", "prune", "-f");
  expect([blobs(), layers()]).toEqual([0, 0]);
});

test("history, labels, and filters", async () => {
  await ok("pull", "-q", name("1"));
  await ok("pull", "-q", name("2"));
  const list = (...filters: string[]) => ok("images", "--format", "json", ...filters.flatMap((one) => ["-f", one]));
  const tags = async (...filters: string[]) =>
    [...(await list(...filters)).matchAll(/"Tag":"([^"]+)"/g)].map((match) => match[1]).sort();
  expect(await tags()).toEqual(["1", "2", "latest"]);
  expect(await tags("label=keep=yes")).toEqual(["1"]);
  expect(await tags("reference=*/*/box:?")).toEqual(["1", "2"]);
  expect(await tags("reference=*/*/box:[12]", "label=keep")).toEqual(["1"]);
  expect(await tags("reference=box")).toEqual([]);
  const history = JSON.parse((await ask("GET", `/images/${name("1")}/history`)).body);
  expect(history.map((entry: { Size: number }) => entry.Size)[0]).toBe(1);
  expect(history[0].Tags).toEqual([name("1")]);
});

test("prune takes what no container uses, and leaves what a filter keeps", async () => {
  await ok("image", "prune", "-af", "--filter", "label!=keep");
  expect(await ok("images", "-q", name("1"))).not.toBe("");
  expect(await ok("images", "-q", name("2"))).toBe("");
  const answer = JSON.parse((await ask("POST", "/images/prune?filters=%7B%22dangling%22:[%22false%22]%7D")).body);
  expect(answer.ImagesDeleted.length).toBeGreaterThan(2);
  expect(answer.SpaceReclaimed).toBeGreaterThan(base.length);
  expect([blobs(), layers()]).toEqual([0, 0]);
});

test("pulls and prunes at the same time: what was acknowledged is whole", async () => {
  const tags = Array.from({ length: 8 }, (_, i) => `many${i}`);
  for (const tag of tags) registry.addImage(tag, [base, tarOfFiles({ tag }), tarOfFiles({ [`x${tag}`]: "y" })]);
  let isOver = false;
  const pruning = (async () => {
    while (!isOver) await ok("image", "prune", "-f");
  })();
  await Promise.all(tags.map((tag) => ok("pull", "-q", name(tag))));
  isOver = true;
  await pruning;
  for (const tag of tags) expect(await ok("run", "--rm", name(tag), "cat", "/tag", `/x${tag}`)).toBe(`${tag}y`);
  expect(await ok("system", "check")).toContain(", 0 damaged");
  await ok("image", "prune", "-af");
  expect([blobs(), layers()]).toEqual([0, 0]);
});

test("host cannot be removed or named", async () => {
  expect(messageOf(await ask("DELETE", "/images/host"))).toContain("it is this machine itself");
  expect((await ask("POST", "/images/host/tag?repo=x")).status).toBe(409);
});

test("what happens to images is told", async () => {
  const sinceS = (Date.now() / 1000).toFixed(3);
  await ok("pull", "-q", name("1"));
  await ok("tag", name("1"), "told");
  await ok("rmi", "told", name("1"));
  const ofImages = encodeURIComponent(JSON.stringify({ type: ["image"] })); // a container of before may end meanwhile
  const untilS = (Date.now() / 1000 + 0.1).toFixed(3);
  const { body } = await ask("GET", `/events?since=${sinceS}&until=${untilS}&filters=${ofImages}`);
  const actions = [...body.matchAll(/"Action":"([a-z]+)"/g)].map((match) => match[1]);
  // The digest that goes with the last tag is no event, as with dockerd.
  expect(actions).toEqual(["pull", "tag", "untag", "untag", "delete"]);
});
