/** How requests reach Debian's docker-registry: with a certificate of the client's own, and by way of a proxy. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { pushImage } from "../../src/images/push.ts";
import { DockerRegistry, registryAlias } from "./docker-registry.ts";
import { failure, Puller, randomBytes } from "./pulling.ts";
import { ScriptedRegistry } from "./scripted-registry.ts";

/** Knows one name, which no name server does; leads it to a port of this machine. */
class NameProxy implements AsyncDisposable {
  readonly seen: string[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #login: string | undefined;

  private constructor(port: () => number, login: string | undefined) {
    this.#login = login === undefined ? undefined : `Basic ${Buffer.from(login).toString("base64")}`;
    this.#server = createServer(async (request, response) => {
      this.seen.push(`${request.method} ${request.url}`);
      const { pathname, search } = new URL(request.url ?? "");
      const answer = await fetch(`http://127.0.0.1:${port()}${pathname}${search}`, {
        headers: { range: request.headers.range ?? "" },
      });
      response.writeHead(answer.status, Object.fromEntries(answer.headers));
      response.end(Buffer.from(await answer.arrayBuffer()));
    });
    this.#server.on("connect", (request, client: Socket) => {
      this.seen.push(`CONNECT ${request.url}`);
      if (this.#login !== undefined && request.headers["proxy-authorization"] !== this.#login) {
        client.end("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n");
        return;
      }
      const far = connect(port(), "127.0.0.1", () => {
        client.write("HTTP/1.1 200 Connection established\r\n\r\n");
        far.pipe(client).pipe(far);
      });
      for (const socket of [far, client]) {
        this.#sockets.add(socket);
        socket.on("error", () => socket.destroy());
      }
    });
  }

  static async open(port: () => number, login?: string): Promise<NameProxy> {
    const proxy = new NameProxy(port, login);
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  urlFor(login = ""): string {
    return `http://${login === "" ? "" : `${login}@`}127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

const portOf = (host: string): number => Number(host.split(":").at(-1));
let source: ScriptedRegistry;
const layer = randomBytes(3_000_000, 5);

beforeAll(async () => {
  source = await ScriptedRegistry.open();
  source.addImage("1", [layer]);
});
afterAll(() => source[Symbol.asyncDispose]());

/** Puts the image into a registry. */
async function fill(registry: DockerRegistry, table: object): Promise<void> {
  await using puller = await Puller.open({ config: { [registry.host]: table } });
  const { manifest } = await puller.pull(`${source.host}/a:1`);
  const session = puller.registries.session({ host: registry.host, repository: "a" });
  await pushImage({ session, store: puller.store, documents: [manifest], tag: "1", onEvent: () => undefined });
}

test("a registry that asks who we are is shown the certificate of its table, and nobody else's client gets in", async () => {
  await using registry = await DockerRegistry.open({ tls: true, knownClients: true });
  const known = { ca: registry.ca, ...registry.client };
  await fill(registry, known);
  await using puller = await Puller.open({ config: { [registry.host]: known } });
  await puller.pull(`${registry.host}/a:1`);
  await using stranger = await Puller.open({ config: { [registry.host]: { ca: registry.ca } } });
  expect(await failure(stranger.pull(`${registry.host}/a:1`))).toContain(`cannot reach https://${registry.host}`);
  await using missing = await Puller.open({ config: { [registry.host]: { ...known, key: "/none/key.pem" } } });
  expect(await failure(missing.pull(`${registry.host}/a:1`))).toContain("/none/key.pem");
}, 30_000);

test("TLS goes through HTTPS_PROXY, with the registry's own certificate checked behind it; NO_PROXY goes past it", async () => {
  await using registry = await DockerRegistry.open({ tls: true });
  const table = { ca: registry.ca };
  await fill(registry, table);
  await using proxy = await NameProxy.open(() => portOf(registry.host), "user:secret");
  const name = `${registryAlias}:443`;
  const open = (proxies: Record<string, string>, ca: object = table) =>
    Puller.open({ config: { [name]: ca, [registryAlias]: ca }, proxies });
  await using puller = await open({ HTTPS_PROXY: proxy.urlFor("user:secret"), HTTP_PROXY: "http://127.0.0.1:1" });
  await puller.pull(`${name}/a:1`);
  expect(new Set(proxy.seen)).toEqual(new Set([`CONNECT ${name}`]));
  await using unknown = await open({ HTTPS_PROXY: proxy.urlFor("user:secret") }, {});
  expect(await failure(unknown.pull(`${name}/a:1`))).toMatch(/certificate|CERT/i);
  await using refused = await open({ HTTPS_PROXY: proxy.urlFor("user:wrong") });
  expect(await failure(refused.pull(`${name}/a:1`))).toContain("407");
  const before = proxy.seen.length;
  await using past = await open({ HTTPS_PROXY: proxy.urlFor("user:secret"), NO_PROXY: ".example, registry.test" });
  expect(await failure(past.pull(`${name}/a:1`))).toContain("cannot reach");
  expect(proxy.seen.length).toBe(before);
}, 60_000);

test("plain http goes through HTTP_PROXY", async () => {
  await using proxy = await NameProxy.open(() => portOf(source.host));
  const name = `${registryAlias}:80`;
  await using puller = await Puller.open({
    config: { [name]: { "plain-http": true } },
    proxies: { HTTP_PROXY: proxy.urlFor(), HTTPS_PROXY: "http://127.0.0.1:1" },
  });
  await puller.pull(`${name}/a:1`);
  expect(proxy.seen).toContain(`GET http://${registryAlias}/v2/a/manifests/1`);
}, 30_000);

test("an image's layers come side by side", async () => {
  await using registry = await ScriptedRegistry.open();
  const { layers } = registry.addImage(
    "many",
    [1, 2, 3].map((i) => randomBytes(100_000, i)),
  );
  const asked = new Set<string>();
  const all = Promise.withResolvers<void>();
  // none is answered before each was asked for
  for (const digest of layers)
    registry.script(new RegExp(`^GET .*/blobs/${digest}$`), async () => {
      asked.add(digest);
      if (asked.size === layers.length) all.resolve();
      await all.promise;
      return false;
    });
  await using puller = await Puller.open({ config: { [registry.host]: { "plain-http": true } } });
  await puller.pull(`${registry.host}/a:many`);
  expect(asked.size).toBe(3);
}, 10_000);
