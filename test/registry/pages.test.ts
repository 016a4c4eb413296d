/** Lists that come in pages: followed to their end, on the same host, and not for ever. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { listReferrers, listTags } from "../../src/images/registry-client.ts";
import { mediaTypes } from "../../src/spec/oci-image.ts";
import { failure, Puller } from "./pulling.ts";
import { digestOf, ScriptedRegistry } from "./scripted-registry.ts";

let registry: ScriptedRegistry;
let puller: Puller;
const session = () => puller.registries.session({ host: registry.host, repository: "a" });

beforeAll(async () => {
  registry = await ScriptedRegistry.open();
  puller = await Puller.open({ config: { [registry.host]: { "plain-http": true } } });
});
afterAll(() => Promise.all([registry[Symbol.asyncDispose](), puller[Symbol.asyncDispose]()]));

/** Each page names the next one so; the first is page 0. */
function page(next: (page: number) => string | undefined): void {
  registry.script(/^GET \/v2\/a\/tags\/list/, ({ path }, response) => {
    const at = Number(/page=(\d+)/.exec(path)?.[1] ?? 0);
    const link = next(at);
    if (link !== undefined) response.setHeader("link", `<${link}>; rel="next"`);
    response.end(JSON.stringify({ name: "a", tags: [`t${at}`] }));
    return true;
  });
}

test("tags of every page are listed, whichever way the next one is written", async () => {
  page((at) => [`/v2/a/tags/list?page=1`, `list?page=2`, `${registry.url}/v2/a/tags/list?page=3`][at]);
  expect(await listTags(session())).toEqual(["t0", "t1", "t2", "t3"]);
});

test.each<[string, (page: number) => string, string]>([
  ["on another host", () => "http://127.0.0.2:1/v2/a/tags/list?page=1", "the next page is on another host"],
  ["that is itself", (at) => `/v2/a/tags/list?page=${Math.max(at, 1)}`, "the next page is on another host"],
  ["in a circle", (at) => `/v2/a/tags/list?page=${1 + (at % 2)}`, "pages of tags"],
  ["that is always another one", (at) => `/v2/a/tags/list?page=${at + 1}`, "pages of tags"],
])("a page %s is an error", async (_, next, words) => {
  page(next);
  const before = registry.requests.length;
  expect(await failure(listTags(session()))).toContain(words);
  expect(registry.requests.length - before).toBeLessThanOrEqual(1000);
});

test("referrers are asked for, or looked up under their tag where the registry does not know the question", async () => {
  const subject = digestOf(Buffer.from("subject"));
  const signature = { mediaType: mediaTypes.ociManifest, digest: digestOf(Buffer.from("signature")), size: 9 };
  const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [signature] };
  expect((await listReferrers(session(), subject)).manifests).toEqual([]);
  registry.addManifest(index, mediaTypes.ociIndex, subject.replace(":", "-"));
  expect((await listReferrers(session(), subject)).manifests).toEqual([signature]);
  registry.script(/^GET \/v2\/a\/referrers\//, (_request, response) => {
    response.setHeader("content-type", mediaTypes.ociIndex);
    response.end(JSON.stringify({ ...index, manifests: [] }));
    return true;
  });
  expect((await listReferrers(session(), subject)).manifests).toEqual([]);
});
