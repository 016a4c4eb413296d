/** Who reaches what: from neighbours, from this host, from containers; and what nobody reaches by tricks. */

import { expect } from "bun:test";
import { writeFileSync } from "node:fs";
import { request } from "../api/engine-fixture.ts";
import { makeBusyboxRoot } from "../busybox-root.ts";
import { kernelTest, type Need, type Scratch } from "../kernel/harness.ts";
import { Product } from "../product.ts";
import { answer, answerFrom, call, makeNeighbour, type NetworkPath, wire } from "./neighbourhood.ts";

const needs: readonly Need[] = ["root", "executor", "product", "nft", "ip", "busybox"];
const timeoutMs = 120_000;
const host: NetworkPath = "/proc/self/ns/net";

// biome-ignore lint/suspicious/noExplicitAny: the answers' shape is the API's
type Answer = any;

interface Member {
  readonly path: NetworkPath;
  readonly address4: string;
  readonly address6: string;
  readonly gateway4: string;
}

/** Runs this in a network namespace, with rights over it. */
function inside(path: NetworkPath, script: string): void {
  const { stderr } = Bun.spawnSync(["nsenter", `--net=${path}`, "--", "sh", "-c", script]);
  expect(stderr.toString()).toBe("");
}

async function openHost(scratch: Scratch) {
  const product = new Product(scratch.directory);
  scratch.defer(() => product.stop());
  await product.ok("ps");
  const rootfs = makeBusyboxRoot(scratch.directory);
  const ask = async (method: string, path: string, body?: unknown): Promise<Answer> => {
    const { body: text } = await request(product, method, path, body);
    const value = text === "" ? undefined : JSON.parse(text);
    if (value?.message !== undefined) throw new Error(value.message);
    return value;
  };
  const start = async (
    name: string,
    network: string,
    ports: Record<string, readonly object[]> = {},
  ): Promise<Member> => {
    await ask("POST", `/containers/create?name=${name}`, {
      Cmd: ["/bin/sh", "-c", "while :; do sleep 1; done"],
      HostConfig: { Rootfs: rootfs, NetworkMode: network, PortBindings: ports },
    });
    await ask("POST", `/containers/${name}/start`);
    const { NetworkSettings } = await ask("GET", `/containers/${name}/json`);
    const endpoint = NetworkSettings.Networks[network];
    return {
      path: NetworkSettings.SandboxKey,
      address4: endpoint.IPAddress,
      address6: endpoint.GlobalIPv6Address,
      gateway4: endpoint.Gateway,
    };
  };
  return { ask, start };
}

kernelTest(
  "a published port is reached from everywhere, and knows who calls; what is not published is reached by nobody outside",
  needs,
  async (scratch) => {
    const { ask, start } = await openHost(scratch);
    await ask("POST", "/networks/create", { Name: "lan" });
    const web = await start("web", "lan", {
      "80/tcp": [{ HostPort: "18080" }, { HostIp: "127.0.0.1", HostPort: "18081" }],
      "80/udp": [{ HostPort: "18080" }],
    });
    const peer = await start("peer", "lan");
    const stranger = await start("stranger", "bridge");
    const neighbour = await makeNeighbour(scratch, ["10.213.0.0/16", "fd00::/8"]);
    await answer(scratch, web.path, web.address4, 80);
    await answer(scratch, web.path, web.address6, 80);

    // from a neighbour: what is published, with the neighbour's address
    expect(await answerFrom(neighbour, wire.host4, 18080)).toBe(wire.neighbour4);
    expect(await answerFrom(neighbour, wire.host6, 18080)).toBe(wire.neighbour6);
    expect(await answerFrom(neighbour, wire.host4, 18080, "udp")).toBe(wire.neighbour4);
    // and nothing else: neither what is bound to loopback, nor the container itself, although there is a route
    expect(call(neighbour, wire.host4, 18081)).toBe("");
    expect(call(neighbour, web.address4, 80)).toBe("");
    expect(call(neighbour, web.address4, 18080)).toBe("");
    expect(call(neighbour, web.address6, 80)).toBe("");
    // nor with loopback's own address, which a neighbour may well send to the host: dnat comes before the kernel refuses it
    inside(neighbour, "echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet");
    inside(neighbour, "ip address del 127.0.0.1/8 dev lo");
    inside(neighbour, `ip route add 127.0.0.0/8 via ${wire.host4} src ${wire.neighbour4}`);
    expect(call(neighbour, "127.0.0.1", 18081)).toBe("");
    expect(call(neighbour, "127.0.0.1", 18080)).toBe("");
    // from the host
    expect(await answerFrom(host, "127.0.0.1", 18080)).toBe(web.gateway4);
    expect(await answerFrom(host, "127.0.0.1", 18081)).toBe(web.gateway4);
    expect(await answerFrom(host, wire.host4, 18080)).not.toBe("");
    expect(await answerFrom(host, "::1", 18080)).not.toBe("");
    expect(await answerFrom(host, "127.0.0.1", 18080, "udp")).toBe(web.gateway4);
    expect(await answerFrom(host, web.address4, 80)).toBe(web.gateway4);
    // from containers: of the same network at its address, of another one and of its own by the host's
    expect(await answerFrom(peer.path, web.address4, 80)).toBe(peer.address4);
    expect(await answerFrom(peer.path, web.address6, 80)).toBe(peer.address6);
    expect(call(stranger.path, web.address4, 80)).toBe("");
    expect(call(stranger.path, web.address6, 80)).toBe("");
    expect(await answerFrom(stranger.path, wire.host4, 18080)).toBe(stranger.address4);
    expect(call(stranger.path, wire.host4, 18081)).toBe("");
    for (const value of ["0", "1"]) {
      writeFileSync("/proc/sys/net/bridge/bridge-nf-call-iptables", value); // br_netfilter off and on
      expect([value, await answerFrom(peer.path, wire.host4, 18080)]).toEqual([value, web.gateway4]);
      expect([value, await answerFrom(web.path, wire.host4, 18080)]).toEqual([value, web.gateway4]);
    }
  },
  timeoutMs,
);

kernelTest(
  "no trick leads a container to the host's loopback, or out of an internal network; ICC off keeps neighbours apart",
  needs,
  async (scratch) => {
    const { ask, start } = await openHost(scratch);
    await ask("POST", "/networks/create", { Name: "closed", Internal: true });
    await ask("POST", "/networks/create", {
      Name: "apart",
      Options: { "com.docker.network.bridge.enable_icc": "false" },
    });
    const free = await start("free", "bridge");
    const closed = await start("closed", "closed");
    const [one, other] = [await start("one", "apart"), await start("other", "apart")];
    const neighbour = await makeNeighbour(scratch, []);
    await answer(scratch, host, "127.0.0.1", 18090);
    await answer(scratch, neighbour, wire.neighbour4, 18091);
    await answer(scratch, other.path, other.address4, 80);
    // a container with rights over its network sends 127.0.0.1 to the host
    inside(free.path, "echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet");
    inside(free.path, "ip address del 127.0.0.1/8 dev lo");
    inside(free.path, `ip route add 127.0.0.0/8 via ${free.gateway4} src ${free.address4}`);
    expect(call(free.path, "127.0.0.1", 18090)).toBe("");
    expect(await answerFrom(free.path, wire.neighbour4, 18091)).toBe(wire.host4); // masqueraded
    inside(closed.path, `ip route add default via ${(await ask("GET", "/networks/closed")).IPAM.Config[0].Gateway}`);
    expect(call(closed.path, wire.neighbour4, 18091)).toBe("");
    expect(call(closed.path, wire.host4, 18090)).toBe("");
    expect(call(one.path, other.address4, 80)).toBe("");
    expect(await answerFrom(one.path, wire.neighbour4, 18091)).toBe(wire.host4);
    // a router's advertisement inside changes nothing
    const accepts = Bun.spawnSync([
      "nsenter",
      `--net=${free.path}`,
      "--",
      "cat",
      "/proc/sys/net/ipv6/conf/eth0/accept_ra",
    ]);
    expect(accepts.stdout.toString().trim()).toBe("0");
  },
  timeoutMs,
);
