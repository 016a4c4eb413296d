/** Servers and resolvers as Debian has them: nginx behind published ports, dnsmasq inside, and dnsmasq on the host. */

import { expect } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { kernelTest, type Need, type Scratch } from "../kernel/harness.ts";
import { Product } from "../product.ts";
import { waitUntil } from "../wait-until.ts";
import { makeNeighbour, wire } from "./neighbourhood.ts";

const needs: readonly Need[] = ["root", "product", "nft", "ip", "busybox"];
const timeoutMs = 60_000;
const readyMs = 20_000;

async function open(scratch: Scratch): Promise<Product> {
  const product = new Product(scratch.directory);
  scratch.defer(() => product.stop());
  await product.ok("network", "create", "lan");
  return product;
}

/** What a command in a container says; a failing one says nothing. */
async function inside(product: Product, container: string, ...words: string[]): Promise<string> {
  const { exitCode, stdout } = await product.run(["exec", container, ...words]);
  return exitCode === 0 ? stdout : "";
}

/** The address that busybox's nslookup finds; "" for none. */
async function lookUp(product: Product, container: string, name: string, server: string): Promise<string> {
  const said = await inside(product, container, "busybox", "nslookup", "-type=a", name, server);
  return /^Name:.*\nAddress: (\S+)$/m.exec(said)?.[1] ?? "";
}

const nginx = `daemon off; error_log stderr; pid /tmp/nginx.pid;
events { }
http {
  access_log off;
  server {
    listen 80; listen [::]:80;
    location = /who { return 200 "$remote_addr"; }
    location / { root /site; }
  }
}`;

kernelTest(
  "nginx behind a published port: from this host and another one, by both versions, with the other one's address",
  [...needs, "nginx", "curl"],
  async (scratch) => {
    const product = await open(scratch);
    const site = join(scratch.directory, "site");
    mkdirSync(site);
    writeFileSync(join(site, "nginx.conf"), nginx);
    writeFileSync(join(site, "large"), Buffer.alloc(32 << 20, "orlop"));
    const volume = ["-v", `${site}:/site:ro`];
    await product.ok(
      "run",
      "-d",
      "--name",
      "web",
      "-p",
      "18085:80",
      ...volume,
      "host",
      "nginx",
      "-c",
      "/site/nginx.conf",
    );
    const neighbour = await makeNeighbour(scratch, []);
    const here = (...words: string[]) => curl([], ...words);
    const there = (...words: string[]) => curl(["nsenter", `--net=${neighbour}`, "--"], ...words);
    await waitUntil(() => here("http://127.0.0.1:18085/who") !== "", readyMs, "nginx answers");
    for (const host of ["127.0.0.1", "[::1]", wire.host4, `[${wire.host6}]`])
      expect([host, here(`http://${host}:18085/who`)]).toEqual([host, expect.stringMatching(/^[0-9a-f.:]+$/)]);
    expect(there(`http://${wire.host4}:18085/who`)).toBe(wire.neighbour4);
    await waitUntil(() => there(`http://[${wire.host6}]:18085/who`) !== "", readyMs, "the wire carries IPv6");
    expect(there(`http://[${wire.host6}]:18085/who`)).toBe(wire.neighbour6);
    const size = ["-o", "/dev/null", "-w", "%{size_download}"];
    for (const host of ["127.0.0.1", "[::1]"])
      expect(here(...size, `http://${host}:18085/large`)).toBe(String(32 << 20));
    expect(there(...size, `http://${wire.host4}:18085/large`)).toBe(String(32 << 20));
    expect(there(`http://${wire.host4}:18085/who`, `http://${wire.host4}:18085/who`)).toBe(wire.neighbour4.repeat(2)); // kept alive
  },
  timeoutMs,
);

function curl(prefix: readonly string[], ...words: string[]): string {
  return Bun.spawnSync([...prefix, "curl", "-s", "--max-time", "20", ...words]).stdout.toString();
}

const dnsmasq = [
  "dnsmasq",
  "--keep-in-foreground",
  "--user=root",
  "--no-resolv",
  "--no-hosts",
  "--conf-file=/dev/null",
];

kernelTest(
  "a container's own dnsmasq on port 53 serves its neighbours, and itself still finds them by 127.0.0.11",
  [...needs, "dnsmasq"],
  async (scratch) => {
    const product = await open(scratch);
    const run = (name: string, ...words: string[]) =>
      product.ok("run", "-d", "--name", name, "--network", "lan", "host", ...words);
    await run("names", ...dnsmasq, "--pid-file=/tmp/pid", "--address=/zone.test/192.0.2.77");
    await run("peer", "sleep", "1000");
    const found = () => lookUp(product, "peer", "a.zone.test", "names");
    await waitUntil(async () => (await found()) === "192.0.2.77", readyMs, "its server answers a neighbour");
    expect(await lookUp(product, "names", "a.zone.test", "127.0.0.1")).toBe("192.0.2.77");
    expect(await lookUp(product, "names", "peer", "127.0.0.11")).toMatch(/^10\./);
    expect(await inside(product, "names", "getent", "hosts", "peer")).toContain("peer");
  },
  timeoutMs,
);

kernelTest(
  "the host's resolver on its loopback is asked for everything else, from the host; an internal network asks nobody",
  [...needs, "dnsmasq"],
  async (scratch) => {
    const resolver = "127.0.0.77";
    const file = join(scratch.directory, "resolv.conf");
    writeFileSync(file, `nameserver ${resolver}\n`);
    await Bun.$`mount --bind ${file} /etc/resolv.conf`;
    scratch.defer(async () => void (await Bun.$`umount /etc/resolv.conf`));
    const pidFile = `--pid-file=${scratch.directory}/pid`;
    const server = Bun.spawn(
      [...dnsmasq, pidFile, "--bind-interfaces", `--listen-address=${resolver}`, "--address=/up.test/192.0.2.88"],
      { stdout: "ignore", stderr: "ignore" },
    );
    scratch.defer(async () => {
      server.kill();
      await server.exited;
    });
    const product = await open(scratch);
    await product.ok("network", "create", "--internal", "closed");
    for (const network of ["lan", "closed"])
      await product.ok("run", "-d", "--name", `in-${network}`, "--network", network, "host", "sleep", "1000");
    const found = () => lookUp(product, "in-lan", "www.up.test", "127.0.0.11");
    await waitUntil(async () => (await found()) === "192.0.2.88", readyMs, "the host's resolver is asked");
    expect(await inside(product, "in-lan", "getent", "ahostsv4", "www.up.test")).toContain("192.0.2.88");
    expect(await lookUp(product, "in-lan", "www.up.test", resolver)).toBe(""); // inside nobody is there
    expect(await lookUp(product, "in-closed", "www.up.test", "127.0.0.11")).toBe("");
    expect(await lookUp(product, "in-closed", "in-closed", "127.0.0.11")).toMatch(/^10\./);
  },
  timeoutMs,
);
