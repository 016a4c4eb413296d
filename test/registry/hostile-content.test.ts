/** A registry that lies: an exact error, and nothing usable left behind. */
import { describe, expect, test } from "bun:test";
import { mediaTypes } from "../../src/spec/oci-image.ts";
import { layer, setUp, small, usableBlobs } from "./one-image.ts";
import { failure, randomBytes } from "./pulling.ts";
import { digestOf, type Script, sendCut, sendError } from "./scripted-registry.ts";

describe("a registry that lies", () => {
  const lies: readonly [string, Script, string][] = [
    [
      "about the length, too short",
      (_request, response) => {
        response.writeHead(200, { "content-length": 10 });
        response.end("0123456789");
        return true;
      },
      "it announces 10 bytes where 3000000 are expected",
    ],
    [
      "about the length, too long",
      (_request, response) => {
        response.writeHead(200, { "content-length": layer.length + 1 });
        response.end(Buffer.concat([layer, Buffer.from("x")]));
        return true;
      },
      "it announces 3000001 bytes where 3000000 are expected",
    ],
    [
      "by sending more than it should, without a length",
      (_request, response) => {
        response.writeHead(200);
        response.end(Buffer.concat([layer, layer]));
        return true;
      },
      "should have 3000000 bytes, and has more",
    ],
    [
      "by sending less than it should, without a length",
      (_request, response) => {
        response.writeHead(200);
        response.end(layer.subarray(0, 500));
        return true;
      },
      "should have 3000000 bytes, and has ",
    ],
    [
      "about the content",
      (_request, response) => {
        response.writeHead(200, { "content-length": layer.length });
        response.end(Buffer.alloc(layer.length));
        return true;
      },
      "does not match its digest: sha256:",
    ],
    [
      "about the range",
      ({ headers }, response, count) => {
        if (count === 1) sendCut(layer, 1_000_000, headers, response);
        else {
          response.writeHead(206, { "content-range": `bytes 0-9/${layer.length}`, "content-length": 10 });
          response.end("0123456789");
        }
        return true;
      },
      `of 3000000 with Content-Range bytes 0-9/3000000`,
    ],
    [
      "about what it has",
      (_request, response) => {
        sendError(response, 404, "BLOB_UNKNOWN", "gone");
        return true;
      },
      "not found: blob unknown",
    ],
    [
      "about compression",
      (_request, response) => {
        response.writeHead(200, { "content-encoding": "gzip", "content-length": layer.length });
        response.end(Buffer.alloc(layer.length, 1));
        return true;
      },
      "does not match its digest: sha256:",
    ],
  ];
  test.each(lies)("%s", async (_, script, words) => {
    const { registry, puller, image, reference, blob } = await setUp();
    await using __ = registry;
    await using ___ = puller;
    registry.script(blob, script);
    expect(await failure(puller.pull(reference))).toContain(words);
    expect(await puller.store.sizeOf(image.layers[0] as typeof image.manifest)).toBeUndefined();
    expect(await puller.store.sizeOf(image.manifest)).toBeUndefined();
  });

  test("about a manifest's digest: in the header, or in the body of one that was asked for by digest", async () => {
    const { registry, puller, image, reference } = await setUp();
    await using _ = registry;
    await using __ = puller;
    const other = Buffer.from(JSON.stringify({ schemaVersion: 2, config: {}, layers: [] }));
    registry.script(/manifests\/1$/, (_request, response) => {
      response.setHeader("docker-content-digest", digestOf(Buffer.from("else")));
      response.end(other);
      return true;
    });
    registry.script(/manifests\/sha256/, (_request, response) => {
      response.end(other);
      return true;
    });
    expect(await failure(puller.pull(reference))).toContain("does not match its digest");
    expect(await failure(puller.pull(`${registry.host}/a@${image.manifest}`))).toContain(
      `instead of ${image.manifest}`,
    );
    expect(await usableBlobs(puller)).toBe(0);
  });

  test("a manifest of 5 MiB is not read to its end, announced or not", async () => {
    const { registry, puller, reference } = await setUp();
    await using _ = registry;
    await using __ = puller;
    let announced = true;
    registry.script(/manifests\/1$/, (_request, response) => {
      const body = Buffer.alloc(5 << 20, " ");
      response.writeHead(200, announced ? { "content-length": body.length } : {});
      response.end(body);
      return true;
    });
    expect(await failure(puller.pull(reference))).toContain("the manifest is over 4194304 bytes");
    announced = false;
    expect(await failure(puller.pull(reference))).toContain("the manifest is over 4194304 bytes");
  });

  test("indexes nested 50 deep are left at the third", async () => {
    const { registry, puller } = await setUp();
    await using _ = registry;
    await using __ = puller;
    let inner: { digest: string; size: number } = { digest: registry.addImage("deep", [small]).manifest, size: 0 };
    for (let i = 0; i < 50; i++) {
      const document = JSON.stringify({
        schemaVersion: 2,
        mediaType: mediaTypes.ociIndex,
        manifests: [{ mediaType: i === 0 ? mediaTypes.ociManifest : mediaTypes.ociIndex, ...inner }],
      });
      inner = { digest: registry.addManifest(document, mediaTypes.ociIndex, `deep${i}`), size: document.length };
    }
    await puller.pull(`${registry.host}/a:deep1`);
    expect(await failure(puller.pull(`${registry.host}/a:deep2`))).toContain("indexes are nested over 3 deep");
    const before = registry.requests.length;
    expect(await failure(puller.pull(`${registry.host}/a:deep49`))).toContain("indexes are nested over 3 deep");
    expect(registry.requests.length - before).toBe(3);
  });

  test("a tag that moves while it is pulled gives one image, not a mixture", async () => {
    const { registry, puller, image, reference, blob } = await setUp();
    await using _ = registry;
    await using __ = puller;
    registry.script(blob, () => {
      registry.addImage("1", [randomBytes(500, 9)]);
      return false;
    });
    expect((await puller.pull(reference)).manifest.digest).toBe(image.manifest);
    expect((await puller.pull(reference)).manifest.digest).not.toBe(image.manifest);
  });
});
