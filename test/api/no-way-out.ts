/** What lies outside of this machine, on loopback: a registry that is docker.io's mirror, and a proxy that lets nobody through. */

import { writeFileSync } from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { ScriptedRegistry } from "../registry/scripted-registry.ts";

export class NoWayOut implements AsyncDisposable {
  readonly registry: ScriptedRegistry;
  /** Hosts that were asked for at the proxy. */
  readonly refused: string[] = [];
  readonly #directory: string;
  readonly #proxy = http.createServer((request, response) => {
    this.refused.push(request.url ?? "");
    response.writeHead(403).end();
  });

  private constructor(registry: ScriptedRegistry, directory: string) {
    this.registry = registry;
    this.#directory = directory;
    this.#proxy.on("connect", ({ url }: http.IncomingMessage, socket) => {
      this.refused.push(url ?? "");
      socket.on("error", () => undefined).end("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    });
  }

  /** @param directory where the engine's registries.toml is written */
  static async open(directory: string): Promise<NoWayOut> {
    const outside = new NoWayOut(await ScriptedRegistry.open(), directory);
    await new Promise<void>((resolve) => outside.#proxy.listen(0, "127.0.0.1", resolve));
    writeFileSync(join(directory, "registries.toml"), `["docker.io"]\nmirrors = ["${outside.registry.url}"]\n`);
    return outside;
  }

  /** Of the engine: loopback it reaches by itself, everything else only through the proxy. */
  get env(): Readonly<Record<string, string>> {
    const proxy = `http://127.0.0.1:${(this.#proxy.address() as AddressInfo).port}`;
    const variables = { HTTP_PROXY: proxy, HTTPS_PROXY: proxy, http_proxy: proxy, https_proxy: proxy };
    return {
      ...variables,
      NO_PROXY: "",
      no_proxy: "",
      ORLOP_REGISTRIES: join(this.#directory, "registries.toml"),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#proxy.closeAllConnections();
    await Promise.all([this.registry[Symbol.asyncDispose](), new Promise((resolve) => this.#proxy.close(resolve))]);
  }
}
