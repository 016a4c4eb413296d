/** Uploads to a registry that cuts, forgets, and points elsewhere. */
import { expect, test } from "bun:test";
import type http from "node:http";
import { uploadBlob } from "../../src/images/blob-upload.ts";
import { failure, Puller, randomBytes } from "./pulling.ts";
import { digestOf, ScriptedRegistry, sendError } from "./scripted-registry.ts";

const blob = randomBytes(20_000_000, 5);
const digest = digestOf(blob);

/** A registry that takes uploads: what came so far, and what to do with each PATCH. */
async function setUp() {
  const registry = await ScriptedRegistry.open();
  const puller = await Puller.open({ config: { [registry.host]: { "plain-http": true } } });
  await puller.store.put(blob);
  const received: Buffer[] = [];
  const size = (): number => received.reduce((sum, part) => sum + part.length, 0);
  const told = (response: http.ServerResponse, status: number): void => {
    response.writeHead(status, { location: "/v2/a/blobs/uploads/1?state=x", range: `0-${size() - 1}` });
    response.end();
  };
  registry.script(/^POST/, (_request, response) => {
    told(response, 202);
    return true;
  });
  registry.script(/^GET .*uploads/, (_request, response) => {
    told(response, 204);
    return true;
  });
  registry.script(/^PATCH/, async ({ body }, response) => {
    for await (const part of body) received.push(part);
    told(response, 202);
    return true;
  });
  registry.script(/^PUT/, ({ path }, response) => {
    const right = path.includes("state=x") && path.includes(encodeURIComponent(digest));
    if (right && digestOf(Buffer.concat(received)) === digest) response.writeHead(201).end();
    else sendError(response, 400, "DIGEST_INVALID", "not what it says");
    return true;
  });
  const progress: number[] = [];
  const session = puller.registries.session({ host: registry.host, repository: "a" });
  const upload = () =>
    uploadBlob({
      session,
      store: puller.store,
      blob: { digest, size: blob.length },
      onProgress: (n) => progress.push(n),
    });
  return { registry, puller, received, size, told, upload, progress };
}

test("in chunks, with the registry's own state in each address", async () => {
  const { registry, puller, upload, progress } = await setUp();
  await using _ = registry;
  await using __ = puller;
  expect(await upload()).toBe("uploaded");
  expect(progress).toEqual([8 << 20, 16 << 20, 20_000_000]);
});

test("a cut goes on from what the registry has", async () => {
  const { registry, puller, received, upload } = await setUp();
  await using _ = registry;
  await using __ = puller;
  registry.script(/^PATCH/, async ({ body }, response, count) => {
    if (count !== 2) return false;
    for await (const part of body) {
      received.push(part);
      break;
    }
    response.socket?.destroy();
    return true;
  });
  expect(await upload()).toBe("uploaded");
  expect(puller.waits.length).toBe(1);
});

test("a registry that takes nothing is given up after five attempts", async () => {
  const { registry, puller, upload } = await setUp();
  await using _ = registry;
  await using __ = puller;
  registry.script(/^PATCH/, ({ body }, response) => {
    body.resume();
    sendError(response, 503, "UNAVAILABLE", "full");
    return true;
  });
  expect(await failure(upload())).toContain("answered 503: full");
  expect(registry.seen(/^PATCH/).length).toBe(5);
});

test.each([
  ["another host", "http://127.0.0.1:1/x", "an upload is sent to another host"],
  ["nowhere", "http://", "an upload without an address"],
])("a registry that sends the upload to %s is refused", async (_, location, words) => {
  const { registry, puller, upload } = await setUp();
  await using __ = registry;
  await using ___ = puller;
  registry.script(/^POST/, (_request, response) => {
    response.writeHead(202, { location }).end();
    return true;
  });
  expect(await failure(upload())).toContain(words);
});

test("a registry that says it got something else is believed", async () => {
  const { registry, puller, upload } = await setUp();
  await using _ = registry;
  await using __ = puller;
  registry.script(/^PUT/, (_request, response) => {
    sendError(response, 400, "DIGEST_INVALID", "provided digest did not match uploaded content");
    return true;
  });
  expect(await failure(upload())).toContain("answered 400: provided digest did not match uploaded content");
});
