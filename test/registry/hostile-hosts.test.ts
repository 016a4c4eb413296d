/** Redirects, token servers and mirrors: who is asked for what, and who may see the password. */
import { describe, expect, test } from "bun:test";
import { layer, setUp, small } from "./one-image.ts";
import { failure, Puller } from "./pulling.ts";
import { ScriptedRegistry, sendBlob, sendError } from "./scripted-registry.ts";

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
