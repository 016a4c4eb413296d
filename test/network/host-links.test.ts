/** Networks and the host's own links: what its routes lead to is not hidden, and macvlan has a place on its wire. */

import { expect } from "bun:test";
import { kernelTest, type Need, type Scratch } from "../kernel/harness.ts";
import { Product } from "../product.ts";
import { waitUntil } from "../wait-until.ts";
import { makeNeighbour, type NetworkPath, wire } from "./neighbourhood.ts";

const needs: readonly Need[] = ["root", "product", "nft", "ip", "busybox"];
const timeoutMs = 60_000;
const readyMs = 10_000;

async function open(scratch: Scratch): Promise<{ product: Product; neighbour: NetworkPath }> {
  const product = new Product(scratch.directory);
  scratch.defer(() => product.stop());
  await product.ok("ps");
  return { product, neighbour: await makeNeighbour(scratch, []) };
}

kernelTest(
  "a network may not have what a route of the host leads to, nor something around it; a part of a wider route it may",
  needs,
  async (scratch) => {
    const { product } = await open(scratch);
    const create = (subnet: string) => product.run(["network", "create", "--subnet", subnet, "lan"]);
    for (const subnet of ["198.51.100.0/24", "198.51.0.0/16", "2001:db8::/32"]) {
      const { exitCode, stderr } = await create(subnet);
      expect([subnet, exitCode]).toEqual([subnet, 1]);
      expect(stderr).toContain(
        `Pool overlaps with other one on this address space: ${subnet}: this host has a route to`,
      );
    }
    expect((await create("198.51.100.128/25")).stderr).toBe("");
  },
  timeoutMs,
);

kernelTest(
  "macvlan: a place of one's own on the wire of a link of the host",
  needs,
  async (scratch) => {
    const { product, neighbour } = await open(scratch);
    const subnet = ["--subnet", "198.51.100.0/24", "--gateway", wire.host4];
    await product.ok("network", "create", "-d", "macvlan", "-o", "parent=owire", ...subnet, "wire");
    const run = (name: string, ip: string) =>
      product.ok("run", "-d", "--name", name, "--network", "wire", "--ip", ip, "host", "sleep", "1000");
    await run("one", "198.51.100.71");
    await run("other", "198.51.100.72");
    const ping = async (container: string, target: string): Promise<boolean> =>
      (await product.run(["exec", container, "busybox", "ping", "-c1", "-W1", target])).exitCode === 0;
    await waitUntil(() => ping("one", wire.neighbour4), readyMs, "the neighbour is reached");
    const seen = Bun.spawnSync(["nsenter", `--net=${neighbour}`, "--", "ip", "neigh", "show", "198.51.100.71"]).stdout;
    const mac = await product.ok("exec", "one", "cat", "/proc/self/root/sys/class/net/eth0/address");
    expect(seen.toString()).toContain(mac);
    await product.ok("run", "-d", "--name", "both", "host", "sleep", "1000"); // where links of bridges are quieter
    await product.ok("network", "connect", "wire", "both");
    const reports = "/proc/sys/net/ipv6/conf/eth1/mldv2_unsolicited_report_interval";
    expect(await product.ok("exec", "both", "cat", reports)).toBe("1000"); // others' switches listen there
    await waitUntil(() => ping("one", "other"), readyMs, "another container is reached by its name");
    expect(await ping("one", wire.host4)).toBe(false); // the kernel keeps macvlan and its own parent apart
    await product.ok("rm", "-f", "one", "other", "both");
    await product.ok("network", "rm", "wire");
    expect((await product.run(["network", "create", "-d", "macvlan", "-o", "parent=none0", "wire"])).exitCode).toBe(0);
    const { stderr } = await product.run(["run", "--rm", "--network", "wire", "host", "true"]);
    expect(stderr).toContain('this host has no link "none0"');
  },
  timeoutMs,
);
