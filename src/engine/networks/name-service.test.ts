import { expect, test } from "bun:test";
import { FakeExecutor } from "../../kernel/executor-fake.ts";
import { FakeNetd } from "../../kernel/netd-fake.ts";
import { type NamedContainer, NameService } from "./name-service.ts";
import type { EndpointRecord } from "./sandbox-record.ts";

const endpoint: EndpointRecord = {
  networkId: "net-id",
  networkName: "Lan",
  id: "endpoint-id",
  number: 0,
  mac: "02:42:0a:00:00:02",
  addresses: ["10.0.0.2/24", "fd00::2/64"],
  gateways: ["10.0.0.1"],
  priority: 0,
  portName: "olv0",
  aliases: ["Www"],
};

const container: NamedContainer = {
  id: "0123456789abcdef",
  name: "web",
  hostname: "host1",
  namespace: "/run/netns/x",
  sandbox: { id: "1234567", endpoints: [endpoint], nextNumber: 1, ports: [] },
  named: [endpoint],
  exposed: ["80/tcp"],
  servers: ["192.0.2.53", "not an address"],
  setsDots: false,
};

test("a container is known by name, alias, short id, hostname, each also with its network's; exposed ports are services", async () => {
  using netd = new FakeNetd();
  const executor = new FakeExecutor();
  const port = await new NameService(netd, executor).serve(container);
  const names = ["web", "www", "0123456789ab", "host1"];
  expect(netd.names.get("net-id 0123456789abcdef")).toEqual({
    names: [...names, ...names.map((name) => `${name}.lan`)],
    addresses: [Uint8Array.of(10, 0, 0, 2), Uint8Array.of(0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2)],
    pointer: "web.lan",
    services: [{ name: "_80._tcp.web", port: 80, target: "web" }],
  });
  expect(netd.resolvers.get(container.id)).toMatchObject({
    namespace: "/run/netns/x",
    scopes: ["links 0123456789abcdef", "net-id"],
    upstream: [{ address: Uint8Array.of(192, 0, 2, 53) }],
  });
  expect(executor.plans.map((plan) => plan.map(({ op }) => op))).toEqual([["setns", "netlink"]]);
  expect(port).toBeGreaterThan(0);
});

test("from internal networks nothing is asked upstream; a resolver that is there keeps its port and rules", async () => {
  using netd = new FakeNetd();
  const executor = new FakeExecutor();
  const inside = { ...endpoint, gateways: [] };
  const sandbox = { ...container.sandbox, endpoints: [inside], resolverPort: 41_000 };
  const port = await new NameService(netd, executor).serve({ ...container, sandbox, named: [inside] });
  expect(netd.resolvers.get(container.id)?.upstream).toEqual([]);
  expect(port).toBe(41_000);
  expect(executor.plans).toEqual([]);
});
