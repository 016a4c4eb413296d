/** Bridge networks as the kernel has them: sandboxes, bridges, rules, each by plan. */

import { expect } from "bun:test";
import { parseAddress, parseSubnet, type Subnet } from "../../src/base/ip-address.ts";
import { runOneShot } from "../../src/kernel/executor-one-shot.ts";
import { parseLinks, parseRoutes } from "../../src/kernel/netlink/list.ts";
import { encodeAdd, encodeDelete, encodeDeleteEach, NETLINK_NETFILTER } from "../../src/kernel/netlink/nftables.ts";
import { installRules } from "../../src/kernel/nft.ts";
import type { Step } from "../../src/kernel/step.ts";
import { macFrom } from "../../src/network/mac-address.ts";
import { planBridge, planBridgeAddresses, planBridgeRemoval, planSurvey } from "../../src/network/plan-bridge.ts";
import {
  enterNamespace,
  planGateways,
  planLink,
  planNamespace,
  planSandboxRemoval,
} from "../../src/network/plan-sandbox.ts";
import {
  type ForwardedPort,
  networkElements,
  openedElements,
  portElements,
  rulesetText,
} from "../../src/network/ruleset.ts";
import { executorPath, kernelTest, type Need, type Scratch } from "./harness.ts";

const needs: readonly Need[] = ["root", "executor", "nft", "ip", "busybox"];

const subnet = (text: string): Subnet => parseSubnet(text) ?? expect.unreachable(text);
const run = (steps: readonly Step[]) => runOneShot(steps, { executable: executorPath });

/** A program in a network namespace; its output, or with a failing one also what it said. */
function inside(path: string, ...words: string[]): string {
  const result = Bun.spawnSync(["nsenter", `--net=${path}`, "--", ...words]);
  return `${result.stdout}${result.exitCode === 0 ? "" : result.stderr}`;
}

interface Bridge {
  readonly name: string;
  readonly index: number;
}

async function makeBridge(scratch: Scratch, name: string, gateways: readonly string[]): Promise<Bridge> {
  scratch.defer(async () => void (await run(planBridgeRemoval(name))));
  const { values } = await run(planBridge({ networkId: name, linkName: name, mtu: 0 }));
  const index = parseLinks(values.get(1) ?? new Uint8Array()).find((link) => link.name === name)?.index ?? 0;
  await run(planBridgeAddresses(name, index, gateways.map(subnet), true));
  return { name, index };
}

async function makeSandbox(
  scratch: Scratch,
  bridge: Bridge,
  id: string,
  addresses: readonly string[],
  isolated = false,
) {
  const path = `${scratch.directory}/net-${id}`;
  const portName = `oltest${id}`;
  scratch.defer(async () => void (await run(planSandboxRemoval(path, [portName]))));
  await run([
    ...planNamespace(path),
    ...planLink({
      number: 0,
      name: "eth0",
      sysctls: [],
      mac: macFrom(id),
      addresses: addresses.map(subnet),
      mtu: 0,
      plug: { kind: "bridge", portName, bridgeIndex: bridge.index, isolated },
    }),
    enterNamespace(path),
    ...planGateways(
      ["10.213.77.1", "fd77::1"].map((text) => ({ address: parseAddress(text) ?? expect.unreachable(), number: 0 })),
    ),
  ]);
  return path;
}

kernelTest(
  "containers of one bridge reach each other and the host by both versions at once",
  needs,
  async (scratch) => {
    const bridge = await makeBridge(scratch, "oltest0", ["10.213.77.1/24", "fd77::1/64"]);
    const first = await makeSandbox(scratch, bridge, "a", ["10.213.77.2/24", "fd77::2/64"]);
    await makeSandbox(scratch, bridge, "b", ["10.213.77.3/24", "fd77::3/64"]);
    for (const address of ["10.213.77.1", "10.213.77.3", "fd77::1", "fd77::3"])
      expect(inside(first, "busybox", "ping", "-c1", "-W20", address)).toContain(" 1 packets received");
    expect(inside(first, "ip", "route")).toContain("default via 10.213.77.1");
    expect(inside(first, "ip", "-6", "route")).toContain("default via fd77::1");
    expect(inside(first, "cat", "/proc/sys/net/ipv6/conf/eth0/accept_ra").trim()).toBe("0");
    expect(inside(first, "cat", "/proc/sys/net/ipv6/conf/eth0/dad_transmits").trim()).toBe("0");
    expect(inside(first, "cat", "/proc/sys/net/ipv6/conf/eth0/mldv2_unsolicited_report_interval").trim()).toBe(
      "3600000",
    );
    expect(Bun.spawnSync(["ip", "-6", "address", "show", "dev", "oltesta"]).stdout.toString()).toBe("");
  },
);

kernelTest("a list that is longer than a frame comes whole", needs, async (scratch) => {
  const count = 20_000; // of 60 bytes each: over 1 MiB
  const path = `${scratch.directory}/net-routes`;
  scratch.defer(async () => void (await run(planSandboxRemoval(path, []))));
  await run(planNamespace(path));
  const adding = Array.from({ length: count }, (_, index) => `route add 10.9.${index >> 8}.${index & 255} dev lo`);
  const batch = ["nsenter", `--net=${path}`, "--", "ip", "-batch", "-"];
  Bun.spawnSync(batch, { stdin: Buffer.from(["link set lo up", ...adding].join("\n")) });
  const { values } = await run([enterNamespace(path), ...planSurvey()]);
  expect(parseRoutes(values.get(2) ?? new Uint8Array()).filter(({ to }) => to.prefix === 32)).toHaveLength(count);
});

kernelTest("isolated ports do not reach each other, and reach the host", needs, async (scratch) => {
  const bridge = await makeBridge(scratch, "oltest0", ["10.213.77.1/24", "fd77::1/64"]);
  const first = await makeSandbox(scratch, bridge, "a", ["10.213.77.2/24", "fd77::2/64"], true);
  await makeSandbox(scratch, bridge, "b", ["10.213.77.3/24", "fd77::3/64"], true);
  expect(inside(first, "busybox", "ping", "-c1", "-W1", "10.213.77.3")).toContain(" 0 packets received");
  expect(inside(first, "busybox", "ping", "-c1", "-W20", "10.213.77.1")).toContain(" 1 packets received");
});

kernelTest("what the text of the rules says is what netlink adds and deletes", needs, async (scratch) => {
  const table = "orlop_kerneltest";
  scratch.defer(() => void Bun.spawnSync(["nft", "delete", "table", "inet", table]));
  const networks = [
    {
      linkName: "oltest0",
      subnets: [subnet("10.213.77.0/24"), subnet("fd77::/64")],
      isInternal: false,
      isOpen: true,
      isMasqueraded: true,
    },
    { linkName: "oltest1", subnets: [subnet("10.213.78.0/24")], isInternal: true, isOpen: false, isMasqueraded: false },
  ];
  const port = (hostAddress: string | undefined, to: string, hostPort = 8080): ForwardedPort => ({
    protocol: "tcp",
    hostAddress: hostAddress === undefined ? undefined : parseAddress(hostAddress),
    hostPort,
    to: parseAddress(to) ?? expect.unreachable(),
    toPort: 80,
  });
  const ports = [
    port(undefined, "10.213.77.2"),
    port("127.0.0.1", "10.213.77.2", 81),
    port(undefined, "fd77::2"),
    port("fd00::5", "fd77::2"),
    ...Array.from({ length: 1000 }, (_, index) => port(undefined, "10.213.77.2", 20_000 + index)),
  ];
  const opened = (["tcp", "udp"] as const).map((protocol) => ({
    from: parseAddress("10.213.77.2") ?? expect.unreachable(),
    to: parseAddress("10.213.77.3") ?? expect.unreachable(),
    protocol,
    port: 53,
  }));
  const listed = () => Bun.spawnSync(["nft", "list", "table", "inet", table]).stdout.toString();
  await installRules(rulesetText(table, { networks, ports, opened, uplinks: [] }));
  const whole = listed();
  expect(whole).toContain("tcp . 127.0.0.1 . 81 : 10.213.77.2 . 80");
  await installRules(rulesetText(table, { networks: [], ports: [], opened: [], uplinks: [] }));
  const empty = listed();
  const changes = [...networkElements(networks), ...portElements(ports), ...openedElements(opened)];
  const messages = encodeAdd(table, changes);
  const add: Step = { op: "netlink", protocol: NETLINK_NETFILTER, messages, why: "" };
  await run([add]);
  expect(listed()).toBe(whole);
  await run([{ ...add, messages: encodeDelete(table, changes) } as Step]);
  expect(listed()).toBe(empty);
  const some = portElements(ports.slice(0, 3));
  await run([{ ...add, messages: encodeAdd(table, some.slice(0, 2)) } as Step]);
  await run([{ ...add, op: "try-netlink", messages: encodeDeleteEach(table, some) } as Step]); // gone already is fine
  expect(listed()).toBe(empty);
  const other = encodeAdd("orlop_missing", changes);
  const failure = await run([{ ...add, messages: other } as Step]).catch((error: unknown) => String(error));
  expect(failure).toContain("ENOENT");
});

kernelTest("the host's links and routes are listed", needs, async (scratch) => {
  const bridge = await makeBridge(scratch, "oltest0", ["10.213.77.1/24"]);
  const { values } = await run(planSurvey());
  const links = parseLinks(values.get(0) ?? new Uint8Array());
  expect(links.find(({ name }) => name === "oltest0")).toEqual({ ...bridge, kind: "bridge", master: 0, isUp: true });
  const routes = parseRoutes(values.get(1) ?? new Uint8Array());
  expect(routes).toContainEqual({ to: subnet("10.213.77.0/24"), linkIndex: bridge.index });
});
