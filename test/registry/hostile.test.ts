/** A registry that cuts, lies, loops and trickles: an exact error or the right bytes, and nothing usable left behind. */
import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { mediaTypes } from "../../src/spec/oci-image.ts";
import { waitUntil } from "../wait-until.ts";
import { failure, Puller, randomBytes } from "./pulling.ts";
import {
  digestOf,
  rangeHeader,
  type Script,
  ScriptedRegistry,
  sendBlob,
  sendCut,
  sendError,
} from "./scripted-registry.ts";

const layer = randomBytes(3_000_000, 1);
const small = randomBytes(1000, 2);

/** A registry with one image (`host/a:1`, a big and a small layer), and a puller that knows it speaks http. */
async function setUp(stallMs?: number) {
  const registry = await ScriptedRegistry.open();
  const image = registry.addImage("1", [layer, small]);
  const config = { [registry.host]: { "plain-http": true } };
  const puller = await Puller.open({ config, ...(stallMs === undefined ? {} : { stallMs }) });
  return {
    registry,
    puller,
    image,
    reference: `${registry.host}/a:1`,
    blob: new RegExp(`GET .*/blobs/${image.layers[0]}`),
  };
}

async function usableBlobs(puller: Puller): Promise<number> {
  return (await puller.store.list()).length;
}

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

describe("redirects", () => {
  test("to another host are followed without credentials", async () => {
    const { registry, image, blob } = await setUp();
    await using _ = registry;
    await using elsewhere = await ScriptedRegistry.open();
    await using puller = await Puller.open({
      config: { [registry.host]: { "plain-http": true } },
      credentials: { kind: "password", username: "u", password: "secret" },
    });
    registry.script(/\/v2\/a\//, ({ headers }, response) => {
      if (headers.authorization !== undefined) return false;
      response.setHeader("www-authenticate", "Basic realm=x");
      sendError(response, 401, "UNAUTHORIZED", "who?");
      return true;
    });
    registry.script(blob, ({ headers }, response) => {
      if (headers.authorization === undefined) return false;
      response.writeHead(307, { location: `${elsewhere.url}/store/${image.layers[0]}` });
      response.end();
      return true;
    });
    elsewhere.script(/store/, ({ headers }, response) => {
      sendBlob(layer, headers, response);
      return true;
    });
    await puller.pull(`${registry.host}/a:1`);
    expect(elsewhere.requests.length).toBe(1);
    expect(elsewhere.requests[0]?.headers.authorization).toBeUndefined();
    expect(registry.seen(blob).some(({ headers }) => headers.authorization?.startsWith("Basic ") === true)).toBe(true);
  });

  test("to another host that asks who we are get no answer", async () => {
    const { registry, blob } = await setUp();
    await using _ = registry;
    await using elsewhere = await ScriptedRegistry.open();
    const credentials = { kind: "password", username: "u", password: "secret" } as const;
    await using puller = await Puller.open({ config: { [registry.host]: { "plain-http": true } }, credentials });
    registry.script(blob, (_request, response) => {
      response.writeHead(302, { location: `${elsewhere.url}/x` });
      response.end();
      return true;
    });
    elsewhere.script(/x/, (_request, response) => {
      response.setHeader("www-authenticate", "Basic realm=x");
      sendError(response, 401, "UNAUTHORIZED", "tell me");
      return true;
    });
    expect(await failure(puller.pull(`${registry.host}/a:1`))).toContain("unauthorized: tell me");
    expect(elsewhere.requests.every(({ headers }) => headers.authorization === undefined)).toBe(true);
  });

  test.each([
    ["in a circle", (url: string) => `${url}/v2/a/manifests/1`, "over 5 redirects"],
    ["to a file", () => "file:///etc/passwd", "a redirect to file:"],
    ["to nowhere", () => "http://", "a redirect without an address"],
  ])("%s are an error", async (_, location, words) => {
    const { registry, puller, reference } = await setUp();
    await using __ = registry;
    await using ___ = puller;
    registry.script(/manifests/, (_request, response) => {
      response.writeHead(302, { location: location(registry.url) });
      response.end();
      return true;
    });
    expect(await failure(puller.pull(reference))).toContain(words);
  });
});

describe("tokens", () => {
  test("are asked for with the registry's scope, kept, and renewed when they are refused", async () => {
    const { registry, image } = await setUp();
    await using _ = registry;
    await using puller = await Puller.open({ config: { [registry.host]: { "plain-http": true } } });
    let valid = "t1";
    registry.script(/\/v2\/a\//, ({ headers }, response) => {
      if (headers.authorization === `Bearer ${valid}`) return false;
      response.setHeader(
        "www-authenticate",
        `Bearer realm="${registry.url}/token",service="reg",scope="repository:a:pull"`,
      );
      sendError(response, 401, "UNAUTHORIZED", "token please");
      return true;
    });
    registry.script(/GET \/token/, (_request, response) => {
      response.end(JSON.stringify({ access_token: valid, expires_in: 300 }));
      return true;
    });
    registry.script(new RegExp(`blobs/${image.config}`), (_request, _response, count) => {
      if (count === 1) valid = "t2";
      return false;
    });
    await puller.pull(`${registry.host}/a:1`);
    const tokens = registry.seen(/token/);
    expect(tokens[0]?.path).toBe("/token?service=reg&scope=repository%3Aa%3Apull");
    expect(tokens.length).toBeLessThanOrEqual(4);
  });

  test("from a server in another domain never see the password", async () => {
    const { registry } = await setUp();
    await using _ = registry;
    const credentials = { kind: "password", username: "u", password: "secret" } as const;
    await using puller = await Puller.open({ config: { [registry.host]: { "plain-http": true } }, credentials });
    registry.script(/manifests/, (_request, response) => {
      response.setHeader("www-authenticate", 'Bearer realm="http://localhost:1/token",service="reg"');
      sendError(response, 401, "UNAUTHORIZED", "token please");
      return true;
    });
    expect(await failure(puller.pull(`${registry.host}/a:1`))).toContain("wants its credentials sent to localhost:1");
  });

  test.each([
    ["no URL", 'Bearer realm="::"', "not a URL"],
    ["a file", 'Bearer realm="file:///x"', "is file:"],
  ])("whose server is %s are an error", async (_, header, words) => {
    const { registry, puller, reference } = await setUp();
    await using __ = registry;
    await using ___ = puller;
    registry.script(/manifests/, (_request, response) => {
      response.setHeader("www-authenticate", header);
      sendError(response, 401, "UNAUTHORIZED", "token please");
      return true;
    });
    expect(await failure(puller.pull(reference))).toContain(words);
  });

  test.each([
    ["without a token", "{}", "token is not a text"],
    ["with a line break", '{"token":"a\\r\\nX: y"}', "no header can carry"],
    ["of 2 MiB", " ".repeat(2 << 20), "over 1048576 bytes"],
  ])("%s are an error", async (_, body, words) => {
    const { registry, puller, reference } = await setUp();
    await using __ = registry;
    await using ___ = puller;
    registry.script(/manifests/, (_request, response) => {
      response.setHeader("www-authenticate", `Bearer realm="${registry.url}/token"`);
      sendError(response, 401, "UNAUTHORIZED", "token please");
      return true;
    });
    registry.script(/GET \/token/, (_request, response) => {
      response.end(body);
      return true;
    });
    expect(await failure(puller.pull(reference))).toContain(words);
  });
});

describe("mirrors", () => {
  test("are asked first, without credentials; what they do not have comes from the registry", async () => {
    const { registry, image } = await setUp();
    await using _ = registry;
    await using mirror = await ScriptedRegistry.open();
    mirror.addImage("1", [layer, small]);
    mirror.blobs.delete(image.layers[1] as string);
    await using puller = await Puller.open({
      config: { [registry.host]: { "plain-http": true, mirrors: [mirror.url] } },
      credentials: { kind: "password", username: "u", password: "secret" },
    });
    await puller.pull(`${registry.host}/a:1`);
    expect(registry.requests.map(({ path }) => path)).toEqual([`/v2/a/blobs/${image.layers[1]}`]);
    expect(mirror.requests.every(({ headers }) => headers.authorization === undefined)).toBe(true);
  });

  test("take docker.io's place", async () => {
    await using mirror = await ScriptedRegistry.open();
    const image = mirror.addImage("latest", [small]);
    await using puller = await Puller.open({ config: { "docker.io": { mirrors: [mirror.url] } } });
    expect((await puller.pull("alpine")).manifest.digest).toBe(image.manifest);
    expect(mirror.requests[0]?.path).toBe("/v2/library/alpine/manifests/latest");
  });

  test("that are down or send rubbish are passed over", async () => {
    const { registry, image } = await setUp();
    await using _ = registry;
    await using mirror = await ScriptedRegistry.open();
    mirror.addImage("1", [layer, small]);
    mirror.script(/blobs/, (_request, response) => {
      response.end(Buffer.alloc(layer.length));
      return true;
    });
    const mirrors = ["http://127.0.0.1:1", mirror.url];
    await using puller = await Puller.open({ config: { [registry.host]: { "plain-http": true, mirrors } } });
    await puller.pull(`${registry.host}/a:1`);
    expect(await puller.store.verify(image.layers[0] as typeof image.manifest)).toBe(true);
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
