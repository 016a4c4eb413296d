/** ipvlan: addresses of one's own on a link of the host, behind its hardware address. Where the kernel has none, that is said. */

import { expect } from "bun:test";
import { kernelTest, type Need } from "../kernel/harness.ts";
import { Product, testOrlopPath } from "../product.ts";
import { waitUntil } from "../wait-until.ts";
import { makeNeighbour, wire } from "./neighbourhood.ts";

const needs: readonly Need[] = ["root", "product", "ip", "busybox"];
const timeoutMs = 90_000;

kernelTest(
  "ipvlan: containers have addresses on the wire of a link of the host; a kernel without it is named as such",
  needs,
  async (scratch) => {
    const neighbour = await makeNeighbour(scratch, []);
    const product = new Product(scratch.directory, { program: testOrlopPath });
    scratch.defer(() => product.stop());
    const probe = Bun.spawnSync(["ip", "link", "add", "link", "owire", "name", "olprobe", "type", "ipvlan"]);
    Bun.spawnSync(["ip", "link", "delete", "olprobe"]);
    const subnet = ["--subnet", "198.51.100.0/24", "--gateway", wire.host4];
    const create = (name: string, ...flags: string[]) =>
      product.run(["network", "create", "-d", "ipvlan", "-o", "parent=owire", ...flags, name]);
    expect((await create("odd", "-o", "ipvlan_mode=l4")).stderr).toContain("expected l2, l3, l3s");
    expect((await create("wire", ...subnet)).stderr).toBe("");
    expect((await create("other", "-o", "ipvlan_mode=l3")).stderr).toContain("as the network wire has them");
    const run = (name: string, ...flags: string[]) =>
      product.run(["run", "-d", "--name", name, "--network", "wire", ...flags, "host", "sleep", "1000"]);
    expect((await run("none", "--mac-address", "02:42:0a:00:00:02")).stderr).toContain("ipvlan has its parent's");
    if (probe.exitCode !== 0) {
      expect((await run("one")).stderr).toContain("this kernel has no ipvlan links");
      return;
    }
    expect((await run("one", "--ip", "198.51.100.71")).stderr).toBe("");
    expect((await run("two", "--ip", "198.51.100.72")).stderr).toBe("");
    const reach = async (container: string, target: string): Promise<boolean> =>
      (await product.run(["exec", container, "busybox", "ping", "-c1", "-W1", target])).exitCode === 0;
    await waitUntil(() => reach("one", wire.neighbour4), timeoutMs, "the neighbour is reached");
    await waitUntil(() => reach("one", "two"), timeoutMs, "another container is reached by its name");
    const seen = Bun.spawnSync(["nsenter", `--net=${neighbour}`, "--", "ip", "neigh", "show", "198.51.100.71"]).stdout;
    const own = (await Bun.file("/sys/class/net/owire/address").text()).trim();
    expect(seen.toString()).toContain(own);
    const [inspection] = JSON.parse(await product.ok("inspect", "one"));
    expect(inspection.NetworkSettings.Networks.wire).toMatchObject({ IPAddress: "198.51.100.71", MacAddress: "" });
  },
  timeoutMs,
);
