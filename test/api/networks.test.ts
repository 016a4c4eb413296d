/**
 * Networks over the API: made, listed, inspected, used, removed; and what stays when the engine is killed in between, at
 * network.create.recorded, network.remove.recorded, network.connect.recorded, network.disconnect.recorded,
 * network.default.recorded, network.bridge.begun, network.bridge.made, network.rules.installed and step.netlink-list.
 */

import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { makeBusyboxRoot } from "../busybox-root.ts";
import { PointFile } from "../crash/point-file.ts";
import { kernelTest, type Need, type Scratch } from "../kernel/harness.ts";
import { Product, testOrlopPath } from "../product.ts";
import { waitUntil } from "../wait-until.ts";
import { request } from "./engine-fixture.ts";

const needs: readonly Need[] = ["root", "executor", "product", "nft", "ip", "busybox"];
const readyMs = 10_000;
const timeoutMs = 180_000;

interface Fixture {
  readonly product: Product;
  readonly rootfs: string;
  readonly points: PointFile;
  /** Status and JSON. */
  ask(method: string, path: string, body?: unknown): Promise<{ readonly status: number; readonly value: Answer }>;
}

// biome-ignore lint/suspicious/noExplicitAny: the answers' shape is what the tests check
type Answer = any;

async function openFixture(scratch: Scratch): Promise<Fixture> {
  const points = new PointFile(join(scratch.directory, "points"));
  const product = new Product(scratch.directory, { program: testOrlopPath, env: { ORLOP_POINT_FILE: points.path } });
  scratch.defer(() => points[Symbol.dispose]());
  scratch.defer(() => product.stop());
  await product.ok("ps");
  return {
    product,
    points,
    rootfs: makeBusyboxRoot(scratch.directory),
    async ask(method, path, body) {
      const { status, body: text } = await request(product, method, path, body);
      return { status, value: text === "" ? undefined : JSON.parse(text) };
    },
  };
}

async function start(fixture: Fixture, name: string, body: Record<string, unknown> = {}): Promise<Answer> {
  const { HostConfig, ...rest } = body;
  const made = await fixture.ask("POST", `/containers/create?name=${name}`, {
    Cmd: ["/bin/sh", "-c", "while :; do sleep 0.1; done"],
    HostConfig: { Rootfs: fixture.rootfs, ...(HostConfig as object) },
    ...rest,
  });
  expect(made.value.message).toBeUndefined();
  const started = await fixture.ask("POST", `/containers/${name}/start`);
  expect(started.value?.message).toBeUndefined();
  return (await fixture.ask("GET", `/containers/${name}/json`)).value;
}

/** A program in the container's network namespace. */
function inside(inspection: Answer, ...words: string[]): string {
  return Bun.spawnSync(["nsenter", `--net=${inspection.NetworkSettings.SandboxKey}`, "--", ...words]).stdout.toString();
}

kernelTest(
  "a network's life: made, found, used, not removed while in use, removed",
  needs,
  async (scratch) => {
    const fixture = await openFixture(scratch);
    const { ask } = fixture;
    const made = await ask("POST", "/networks/create", {
      Name: "lan",
      IPAM: { Config: [{ Subnet: "10.213.240.0/24", IPRange: "10.213.240.128/25", Gateway: "10.213.240.9" }] },
      Labels: { color: "red" },
    });
    expect(made.status).toBe(201);
    const names = async (filter: object) =>
      (await ask("GET", `/networks?filters=${encodeURIComponent(JSON.stringify(filter))}`)).value.map(
        ({ Name }: Answer) => Name,
      );
    expect(await names({})).toEqual(["host", "none", "bridge", "lan"]);
    expect(await names({ type: ["custom"] })).toEqual(["lan"]);
    expect(await names({ label: ["color=red"], driver: ["bridge"] })).toEqual(["lan"]);
    const web = await start(fixture, "web", { HostConfig: { NetworkMode: "lan" } });
    expect(web.NetworkSettings.Networks.lan).toMatchObject({
      IPAddress: "10.213.240.128",
      Gateway: "10.213.240.9",
      IPPrefixLen: 24,
    });
    const [shown] = [(await ask("GET", "/networks/lan")).value];
    expect(Object.values(shown.Containers)).toMatchObject([{ Name: "web", IPv4Address: "10.213.240.128/24" }]);
    const refused = await ask("DELETE", "/networks/lan");
    expect([refused.status, refused.value.message]).toEqual([
      403,
      expect.stringContaining('has active endpoints (name:"web"'),
    ]);
    await ask("DELETE", "/containers/web?force=1");
    expect((await ask("DELETE", "/networks/lan")).status).toBe(204);
    expect((await ask("GET", "/networks/lan")).value.message).toBe("network lan not found");
  },
  timeoutMs,
);

kernelTest(
  "of eight who ask for one name at the same time one gets it, and the others are told that it is taken",
  needs,
  async (scratch) => {
    const { ask } = await openFixture(scratch);
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => ask("POST", "/networks/create", { Name: "lan" })),
    );
    const refused = { status: 409, value: { message: "network with name lan already exists" } };
    expect(answers.filter(({ status }) => status !== 201)).toEqual(Array.from({ length: 7 }, () => refused));
    expect((await ask("GET", "/networks")).value.filter(({ Name }: { Name: string }) => Name === "lan")).toHaveLength(
      1,
    );
  },
  timeoutMs,
);

kernelTest(
  "what cannot be given is refused with Docker's status and words, and nothing is left",
  needs,
  async (scratch) => {
    const { ask } = await openFixture(scratch);
    const create = (body: object) => ask("POST", "/networks/create", { Name: "lan", ...body });
    const pool = (Subnet: string, more = {}) => ({ IPAM: { Config: [{ Subnet, ...more }] } });
    const table: readonly (readonly [body: object, status: number, message: string])[] = [
      [{ Name: "bridge" }, 403, "operation is not permitted on predefined bridge network"],
      [{ Name: "a b" }, 400, 'invalid network name "a b"'],
      [{ Driver: "overlay" }, 404, "could not find plugin overlay in v1 plugin registry: plugin not found"],
      [{ Driver: "ipvlan" }, 400, 'invalid network option parent ""'],
      [pool("10.213.240.0/33"), 400, 'invalid IPAM.Config[0].Subnet "10.213.240.0/33"'],
      [pool("10.213.240.1/24"), 400, "no bits behind its prefix, as in 10.213.240.0/24"],
      [pool("10.213.240.0/24", { Gateway: "10.213.241.1" }), 400, 'invalid Gateway "10.213.241.1"'],
      [pool("10.213.240.0/24", { IPRange: "10.213.0.0/16" }), 400, 'invalid IPRange "10.213.0.0/16"'],
      [{ Options: { "com.docker.network.bridge.enable_icc": "maybe" } }, 400, "enable_icc"],
      [{ Options: { "com.example.x": "1" } }, 501, "the network option com.example.x is not supported"],
      [{ Ingress: true }, 501, "Ingress is not supported"],
      [{ Driver: "macvlan" }, 400, 'invalid network option parent ""'],
    ];
    for (const [body, status, message] of table)
      expect([body, await create(body)]).toEqual([
        body,
        { status, value: { message: expect.stringContaining(message) } },
      ]);
    expect((await create(pool("10.213.240.0/24"))).status).toBe(201);
    expect(await create({})).toMatchObject({ status: 409, value: { message: "network with name lan already exists" } });
    expect(await ask("POST", "/networks/create", { Name: "other", ...pool("10.213.240.128/25") })).toMatchObject({
      status: 403,
      value: { message: expect.stringContaining("Pool overlaps with other one on this address space") },
    });
    expect(await ask("DELETE", "/networks/bridge")).toMatchObject({ status: 403 });
    expect((await ask("POST", "/networks/prune")).value).toEqual({ NetworksDeleted: ["lan"] });
  },
  timeoutMs,
);

kernelTest(
  "addresses: static, taken, outside, exhausted; a MAC of one's own",
  needs,
  async (scratch) => {
    const fixture = await openFixture(scratch);
    const { ask, rootfs } = fixture;
    await ask("POST", "/networks/create", { Name: "lan", IPAM: { Config: [{ Subnet: "10.213.240.0/29" }] } });
    const at = (IPv4Address: string, more = {}) => ({
      HostConfig: { NetworkMode: "lan" },
      NetworkingConfig: { EndpointsConfig: { lan: { IPAMConfig: { IPv4Address }, ...more } } },
    });
    const one = await start(fixture, "one", at("10.213.240.4", { MacAddress: "02:42:00:00:00:77" }));
    expect(one.NetworkSettings.Networks.lan).toMatchObject({
      IPAddress: "10.213.240.4",
      MacAddress: "02:42:00:00:00:77",
    });
    expect(inside(one, "ip", "-br", "link", "show", "eth0")).toContain("02:42:00:00:00:77");
    const refusal = async (name: string, body: Record<string, unknown>) => {
      const { HostConfig, ...rest } = body;
      await ask("DELETE", `/containers/${name}?force=1`);
      const made = await ask("POST", `/containers/create?name=${name}`, {
        Cmd: ["true"],
        ...rest,
        HostConfig: { Rootfs: rootfs, ...(HostConfig as object) },
      });
      if (made.status !== 201) return made.value.message;
      return (await ask("POST", `/containers/${name}/start`)).value?.message;
    };
    expect(await refusal("two", at("10.213.240.4"))).toBe("Address already in use: 10.213.240.4 on network lan");
    expect(await refusal("three", at("10.213.241.4"))).toContain("It does not belong to any of this network's subnets");
    const asking = (value: object) => ({
      HostConfig: { NetworkMode: "lan" },
      NetworkingConfig: { EndpointsConfig: { lan: value } },
    });
    const options = (name: string, value: string) =>
      asking({ DriverOpts: { [`com.docker.network.endpoint.${name}`]: value } });
    const bad: readonly (readonly [body: Record<string, unknown>, message: string])[] = [
      [asking({ IPAMConfig: { LinkLocalIPs: ["10.1.1.1"] } }), 'invalid link local IP address "10.1.1.1"'],
      [asking({ IPAMConfig: { LinkLocalIPs: ["nonsense"] } }), 'invalid link local IP address "nonsense"'],
      [asking({ DriverOpts: { a: "b" } }), "the endpoint option a is not supported"],
      [options("ifname", "lo"), 'endpoint.ifname "lo"'],
      [options("ifname", "../x"), 'endpoint.ifname "../x"'],
      [options("ifname", "sixteen-bytes-00"), 'endpoint.ifname "sixteen-bytes-00"'],
      [options("sysctls", "net.ipv4.conf.eth0.log_martians=1"), "net.X.Y.IFNAME.Z=VALUE"],
      [options("sysctls", "net.ipv4.conf.IFNAME/../all.forwarding=1"), "net.X.Y.IFNAME.Z=VALUE"],
      [options("sysctls", "net.ipv4.conf.IFNAME.nonsense=1"), "sysctl net.ipv4.conf.eth0.nonsense=1: ENOENT"],
      [options("sysctls", "net.ipv4.conf.IFNAME.log_martians=many"), "log_martians=many: EINVAL"],
    ];
    for (const [body, message] of bad)
      expect([body, await refusal("bad", body)]).toEqual([body, expect.stringContaining(message)]);
    for (const name of ["n1", "n2", "n3", "n4"]) await start(fixture, name, { HostConfig: { NetworkMode: "lan" } });
    expect(await refusal("n5", { HostConfig: { NetworkMode: "lan" } })).toContain("no available IPv4 addresses");
    await ask("DELETE", "/containers/n1?force=1");
    const again = await start(fixture, "n6", { HostConfig: { NetworkMode: "lan" } });
    expect(again.NetworkSettings.Networks.lan.IPAddress).toBe("10.213.240.2");
  },
  timeoutMs,
);

kernelTest(
  "a running container is connected and disconnected; the network of the highest priority leads",
  needs,
  async (scratch) => {
    const fixture = await openFixture(scratch);
    const { ask, product } = fixture;
    for (const [Name, Subnet] of [
      ["first", "10.213.240.0/24"],
      ["second", "10.213.241.0/24"],
    ])
      await ask("POST", "/networks/create", { Name, IPAM: { Config: [{ Subnet }] } });
    const web = await start(fixture, "web", { HostConfig: { NetworkMode: "first" } });
    expect(inside(web, "ip", "route", "show", "default")).toContain("via 10.213.240.1 dev eth0");
    const connected = await ask("POST", "/networks/second/connect", {
      Container: "web",
      EndpointConfig: { GwPriority: 7 },
    });
    expect(connected.status).toBe(200);
    expect(inside(web, "ip", "route", "show", "default")).toContain("via 10.213.241.1 dev eth1");
    expect(await product.ok("inspect", "web")).toContain("10.213.241.2");
    expect(await ask("POST", "/networks/second/connect", { Container: "web" })).toMatchObject({
      status: 403,
      value: { message: "endpoint with name web already exists in network second" },
    });
    await ask("POST", "/networks/first/disconnect", { Container: "web" });
    expect(inside(web, "ip", "-br", "address")).not.toContain("eth0");
    await ask("POST", "/containers/web/restart?t=0");
    const after = (await ask("GET", "/containers/web/json")).value;
    expect(Object.keys(after.NetworkSettings.Networks)).toEqual(["second"]);
    expect(inside(after, "ip", "route", "show", "default")).toContain("via 10.213.241.1");
  },
  timeoutMs,
);

kernelTest(
  "a killed engine leaves nothing half: what was acknowledged is there, the rest is not",
  needs,
  async (scratch) => {
    const fixture = await openFixture(scratch);
    const { ask, points, product } = fixture;
    const killedAt = async (point: string, act: () => Promise<unknown>): Promise<void> => {
      points.arm(point, "kill");
      await act().catch(() => undefined);
      await waitUntil(() => points.hasActed, timeoutMs, `${point} is reached`);
      points.disarm();
      await waitUntil(async () => (await product.run(["info"])).exitCode === 0, timeoutMs, "the engine comes back");
    };
    const networkOf = async () =>
      Object.keys((await ask("GET", "/containers/web/json")).value.NetworkSettings.Networks);
    await killedAt("network.default.recorded", () => ask("GET", "/networks"));
    await killedAt("network.create.recorded", () => ask("POST", "/networks/create", { Name: "lan" }));
    for (const point of ["network.rules.installed", "network.bridge.begun", "network.bridge.made"])
      await killedAt(point, async () => start(fixture, `web-${point}`, { HostConfig: { NetworkMode: "lan" } }));
    await start(fixture, "web", {
      HostConfig: { NetworkMode: "bridge", PortBindings: { "80/tcp": [{ HostPort: "" }] } },
    });
    const linksInside = async (): Promise<number> => {
      const path = (await ask("GET", "/containers/web/json")).value.NetworkSettings.SandboxKey;
      return (await Bun.$`nsenter --net=${path} -- ip -o link`.text()).trim().split("\n").length;
    };
    await killedAt("network.connect.recorded", () => ask("POST", "/networks/lan/connect", { Container: "web" }));
    expect(await networkOf()).toEqual(["bridge"]);
    // what was not acknowledged is taken back: of the kernel, and of the network
    await waitUntil(async () => (await linksInside()) === 2, readyMs, "loopback and one link");
    expect((await ask("GET", "/networks/lan")).value.Containers).toEqual({});
    expect((await ask("POST", "/networks/lan/connect", { Container: "web" })).status).toBe(200);
    expect(await linksInside()).toBe(3);
    await killedAt("network.disconnect.recorded", () => ask("POST", "/networks/lan/disconnect", { Container: "web" }));
    expect(await networkOf()).toEqual(["bridge", "lan"]);
    await waitUntil(async () => (await linksInside()) === 3, readyMs, "it is in both networks");
    await ask("POST", "/networks/lan/disconnect", { Container: "web" });
    expect(await networkOf()).toEqual(["bridge"]);
    for (const { Id } of (await ask("GET", "/containers/json?all=1")).value)
      await ask("DELETE", `/containers/${Id}?force=1`);
    await killedAt("network.remove.recorded", () => ask("DELETE", "/networks/lan"));
    expect((await ask("GET", "/networks/lan")).status).toBe(404);
  },
  timeoutMs,
);

kernelTest(
  "containers of a network find each other by name, alias, link and short id, also while no engine lives",
  needs,
  async (scratch) => {
    const fixture = await openFixture(scratch);
    const { ask, product } = fixture;
    await ask("POST", "/networks/create", { Name: "Lan", EnableIPv6: false });
    const inLan = (more = {}) => ({
      HostConfig: { NetworkMode: "Lan" },
      NetworkingConfig: { EndpointsConfig: { Lan: more } },
    });
    const web = await start(fixture, "web", inLan({ Aliases: ["www"] }));
    const client = await start(fixture, "client", inLan({ Links: ["web:db"] }));
    const other = await start(fixture, "stranger", { HostConfig: { NetworkMode: "bridge" } });
    const address = web.NetworkSettings.Networks.Lan.IPAddress;
    const lookUp = (from: Answer, name: string) => inside(from, "busybox", "nslookup", name, "127.0.0.11");
    const names = ["web", "WWW", "web.lan", web.Id.slice(0, 12), "db"];
    for (const name of names) expect([name, lookUp(client, name)]).toEqual([name, expect.stringContaining(address)]);
    expect(lookUp(client, address)).toContain("web.lan");
    expect(lookUp(web, "db")).not.toContain(address); // a link is only the one's who asked for it
    expect(lookUp(other, "web")).not.toContain(address);
    // netd and supervisor have the engine's command line among their own arguments
    const isEngine = (pid: number) => /^[^\0]+\0engine\0/.test(readFileSync(`/proc/${pid}/cmdline`, "utf8"));
    const engine = product.pids().filter(isEngine);
    expect(engine).toHaveLength(1);
    for (const pid of engine) process.kill(pid, "SIGSTOP");
    try {
      expect(lookUp(client, "web")).toContain(address);
    } finally {
      for (const pid of engine) process.kill(pid, "SIGCONT");
    }
    await ask("POST", "/containers/web/rename?name=site");
    expect(lookUp(client, "site")).toContain(address);
    await ask("POST", "/networks/Lan/connect", { Container: "stranger" });
    expect(lookUp(other, "site")).toContain(address);
    expect(lookUp(other, "web")).not.toContain(address);
  },
  timeoutMs,
);
