/** A registry that cuts, trickles and is busy: the right bytes or an exact error, and nothing usable left behind. */
import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { waitUntil } from "../wait-until.ts";
import { layer, setUp } from "./one-image.ts";
import { failure } from "./pulling.ts";
import { rangeHeader, sendBlob, sendCut, sendError } from "./scripted-registry.ts";

describe("a registry that keeps to the specification", () => {
  test("gives every blob, verified, and the manifest last", async () => {
    const { registry, puller, image, reference } = await setUp();
    await using _ = registry;
    await using __ = puller;
    const pulled = await puller.pull(reference);
    expect(pulled.target.digest).toBe(image.manifest);
    expect(pulled.config.config.Cmd).toEqual(["1"]);
    for (const digest of [image.manifest, image.config, ...image.layers])
      expect(await puller.store.verify(digest)).toBe(true);
    expect(puller.ingests()).toEqual([]);
    expect(puller.waits).toEqual([]);
  });

  test("is asked for nothing twice: the second pull takes its layers from the store", async () => {
    const { registry, puller, reference } = await setUp();
    await using _ = registry;
    await using __ = puller;
    await puller.pull(reference);
    const before = registry.requests.length;
    await puller.pull(reference);
    expect(registry.requests.slice(before).map(({ path }) => path)).toEqual(["/v2/a/manifests/1"]);
  });

  test("sends a blob once for five pulls at a time", async () => {
    const { registry, puller, reference, blob } = await setUp();
    await using _ = registry;
    await using __ = puller;
    await Promise.all(Array.from({ length: 5 }, () => puller.pull(reference)));
    expect(registry.seen(blob).length).toBe(1);
  });
});

describe("a connection that breaks", () => {
  test.each([0, 1, 4095, 65_536, 1_500_000, 2_999_999])("after byte %d goes on from there", async (at) => {
    const { registry, puller, image, reference, blob } = await setUp();
    await using _ = registry;
    await using __ = puller;
    registry.script(blob, ({ headers }, response, count) => {
      if (count > 1) return false;
      sendCut(layer, at, headers, response);
      return true;
    });
    await puller.pull(reference);
    expect(await puller.store.verify(image.layers[0] as typeof image.manifest)).toBe(true);
    const [, second] = registry.seen(blob);
    const resumedAt = Number(/\d+/.exec(second?.headers.range ?? "0")?.[0]);
    expect(at - resumedAt).toBeLessThan(8 << 20);
    expect(resumedAt).toBeLessThanOrEqual(at);
  });

  test("every time, is given up after five attempts that brought little, and the next pull goes on", async () => {
    const { registry, puller, image, reference, blob } = await setUp();
    await using _ = registry;
    await using __ = puller;
    const arrived = (): number => puller.ingestSize(image.layers[0] as typeof image.manifest);
    let broken = true;
    registry.script(blob, async ({ headers }, response) => {
      if (!broken) return false;
      const before = arrived();
      response.writeHead(...rangeHeader(layer, headers));
      response.write(layer.subarray(before, before + 100_000));
      while (arrived() === before) await Bun.sleep(1);
      response.socket?.destroy();
      return true;
    });
    expect(await failure(puller.pull(reference))).toContain(`cannot reach ${registry.url}/v2/a/blobs/sha256:`);
    expect(registry.seen(blob).length).toBe(5);
    const kept = arrived();
    broken = false;
    await puller.pull(reference);
    expect(registry.seen(blob).at(-1)?.headers.range).toBe(`bytes=${kept}-`);
    expect(puller.ingests()).toEqual([]);
  });

  test("a damaged beginning from before a power loss is noticed, and the blob comes again", async () => {
    const { registry, puller, image, reference, blob } = await setUp();
    await using _ = registry;
    await using __ = puller;
    const digest = image.layers[0] as typeof image.manifest;
    {
      await using ingest = await puller.store.openIngest({ digest, size: layer.length });
      await ingest.write(Buffer.alloc(500_000));
    }
    await puller.pull(reference);
    expect(await puller.store.verify(digest)).toBe(true);
    expect(registry.seen(blob).map(({ headers }) => headers.range)).toEqual(["bytes=500000-", undefined]);
  });

  test("a registry that cannot resume sends the whole again", async () => {
    const { registry, puller, image, reference, blob } = await setUp();
    await using _ = registry;
    await using __ = puller;
    registry.script(blob, ({ headers }, response, count) => {
      if (count === 1) sendCut(layer, 1_000_000, headers, response);
      else sendBlob(layer, {}, response);
      return true;
    });
    await puller.pull(reference);
    expect(await puller.store.verify(image.layers[0] as typeof image.manifest)).toBe(true);
  });

  test("a trickle is not waited for", async () => {
    const { registry, puller, reference, blob } = await setUp(50);
    await using _ = registry;
    await using __ = puller;
    registry.script(blob, (_request, response) => {
      response.writeHead(200, { "content-length": layer.length });
      const drip = setInterval(() => response.write("x"), 5);
      response.on("close", () => clearInterval(drip));
      return true;
    });
    expect(await failure(puller.pull(reference))).toContain("under 16384 bytes in 0.05 s");
  });
});

describe("a registry that is busy", () => {
  test("500 three times goes unnoticed, with growing pauses", async () => {
    const { registry, puller, reference } = await setUp();
    await using _ = registry;
    await using __ = puller;
    registry.script(/manifests/, (_request, response, count) => {
      if (count > 3) return false;
      sendError(response, 500, "UNKNOWN", "out of luck");
      return true;
    });
    await puller.pull(reference);
    expect(puller.waits.length).toBe(3);
    expect(puller.waits[2]).toBeGreaterThan((puller.waits[0] ?? 0) * 1.3);
  });

  test("500 for ever is given up, with the registry's own words on one line", async () => {
    const { registry, puller, reference } = await setUp();
    await using _ = registry;
    await using __ = puller;
    registry.script(/manifests/, (_request, response) => {
      sendError(response, 503, "UNAVAILABLE", "back\r\nsoon\x1b[31m");
      return true;
    });
    expect(await failure(puller.pull(reference))).toBe(`${registry.url}/v2/a/manifests/1 answered 503: back soon [31m`);
    expect(puller.waits.length).toBe(4);
  });

  test.each([
    ["7", 7000],
    ["0", 0],
    ["86400", 60_000],
  ])("429 with Retry-After %s waits %d ms", async (header, ms) => {
    const { registry, puller, reference } = await setUp();
    await using _ = registry;
    await using __ = puller;
    registry.script(/manifests/, (_request, response, count) => {
      if (count > 1) return false;
      response.setHeader("retry-after", header);
      sendError(response, 429, "TOOMANYREQUESTS", "slow down");
      return true;
    });
    await puller.pull(reference);
    expect(puller.waits).toEqual([ms]);
  });

  test("401 in a loop ends after one new token", async () => {
    const { registry, puller, reference } = await setUp();
    await using _ = registry;
    await using __ = puller;
    registry.script(/manifests/, (_request, response) => {
      response.setHeader(
        "www-authenticate",
        `Bearer realm="${registry.url}/token",service="s",scope="repository:a:pull"`,
      );
      sendError(response, 401, "UNAUTHORIZED", "authentication required");
      return true;
    });
    registry.script(/GET \/token/, (_request, response) => {
      response.end('{"token":"abc"}');
      return true;
    });
    expect(await failure(puller.pull(reference))).toBe(
      "pull access denied for a, repository does not exist or may require 'docker login': denied: authentication required",
    );
    expect(registry.seen(/token/).length).toBe(1);
    expect(registry.seen(/manifests/).length).toBe(2);
  });
});

describe("leaving", () => {
  test("one of two pulls leaves the other its download", async () => {
    const { registry, puller, reference, blob } = await setUp();
    await using _ = registry;
    await using __ = puller;
    const leaving = new AbortController();
    const gate = Promise.withResolvers<void>();
    registry.script(blob, async () => {
      await gate.promise;
      return false;
    });
    const first = failure(puller.pull(reference, leaving.signal));
    const second = puller.pull(reference);
    while (registry.seen(blob).length === 0) await Bun.sleep(1);
    leaving.abort(new Error("left"));
    expect(await first).toBe("left");
    gate.resolve();
    await second;
    expect(registry.seen(blob).length).toBe(1);
  });

  test("descriptors are where they were after all of this", async () => {
    const count = (): number => readdirSync("/proc/self/fd").length;
    const round = async (): Promise<void> => {
      const { registry, puller, reference, blob } = await setUp();
      await using _ = registry;
      await using __ = puller;
      registry.script(blob, ({ headers }, response, n) => {
        if (n > 5) return false;
        sendCut(layer, 1000, headers, response);
        return true;
      });
      await failure(puller.pull(reference));
      await puller.pull(reference);
    };
    await round();
    const before = count();
    for (let i = 0; i < 5; i++) await round();
    await waitUntil(() => count() <= before, 5000, "they are closed");
  });
});
