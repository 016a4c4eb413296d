/** Debian's docker-compose brings up web, database and cache, which find each other by name, and takes everything down again. */

import { expect } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { kernelTest, type Need } from "../kernel/harness.ts";
import { Product, runProgram } from "../product.ts";
import { waitUntil } from "../wait-until.ts";

const needs: readonly Need[] = ["root", "product", "docker-compose", "docker", "busybox", "nft"];

/** Everything runs from the machine's own programs: no image has to be there. */
const project = `version: "3.8"
services:
  web:
    image: host
    command: ["busybox", "httpd", "-f", "-p", "80", "-h", "/www"]
    volumes: ["./www:/www:ro"]
    ports: ["18099:80"]
    depends_on: [db, cache]
    networks: [front, back]
  db:
    image: host
    command: ["sh", "-c", "while :; do echo a row | busybox nc -l -p 5432; done"]
    networks: [back]
    volumes: ["data:/var/lib/data"]
  cache:
    image: host
    command: ["sh", "-c", "while :; do echo a value | busybox nc -l -p 6379; done"]
    networks:
      back: { aliases: [redis] }
  stranger:
    image: host
    command: ["sleep", "1000"]
    networks: [front]
networks: { front: {}, back: { internal: true } }
volumes: { data: {} }
`;

kernelTest(
  "web, database and cache of a compose file",
  needs,
  async (scratch) => {
    const product = new Product(scratch.directory);
    scratch.defer(() => product.stop());
    await product.ok("info");
    const directory = join(scratch.directory, "shop");
    mkdirSync(join(directory, "www"), { recursive: true });
    const file = join(directory, "docker-compose.yml");
    writeFileSync(file, project);
    writeFileSync(join(directory, "www/index.html"), "hello from web\n");
    const compose = async (...words: string[]): Promise<string> => {
      const env = { DOCKER_HOST: product.dockerHost, DOCKER_CONFIG: product.runDir, COMPOSE_PROJECT_NAME: "shop" };
      const { exitCode, stdout, stderr } = await runProgram(
        ["docker-compose", "--project-directory", directory, "-f", file, ...words],
        { env },
      );
      if (exitCode !== 0) throw new Error(`docker-compose ${words.join(" ")}: ${exitCode}: ${stderr}`);
      return stdout;
    };
    const inside = (service: string, script: string): Promise<string> =>
      compose("exec", "-T", service, "sh", "-c", script);

    await compose("up", "-d");
    expect(await compose("ps")).toContain("0.0.0.0:18099->80/tcp");
    for (const host of ["127.0.0.1", "[::1]"]) {
      let page = "";
      const isServed = async (): Promise<boolean> => {
        page = await fetch(`http://${host}:18099/`).then(
          (answer) => answer.text(),
          () => "",
        );
        return page !== "";
      };
      await waitUntil(isServed, 20_000, "the server has started");
      expect([host, page]).toEqual([host, "hello from web\n"]);
    }
    // a server of one line is not there for a moment after each
    const ask = "ask() { until busybox nc $1 $2 </dev/null 2>/dev/null; do :; done; }";
    const asked = await inside("web", `${ask}; ask db 5432; ask redis 6379; ask shop_cache_1 6379`);
    expect(asked).toBe("a row\na value\na value\n");
    // of another network: neither by name nor by address
    expect(await inside("stranger", "busybox nslookup db 127.0.0.11 >/dev/null 2>&1 && echo found || echo none")).toBe(
      "none\n",
    );
    expect(await inside("stranger", "busybox wget -q -O - http://web/")).toBe("hello from web\n");

    await compose("down", "-v", "-t", "0");
    expect(await product.ok("ps", "-aq")).toBe("");
    expect(await product.ok("network", "ls")).not.toContain("shop");
  },
  120_000,
);
