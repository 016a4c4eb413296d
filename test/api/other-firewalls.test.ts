/**
 * Beside other firewalls: rules that are flushed are installed again, and chains that drop what is forwarded get a passage where
 * their tool has a place for one. What is done for that is at network.rules.repaired and network.others.passed.
 */

import { expect } from "bun:test";
import { linkNamesOf } from "../../src/network/link-names.ts";
import { makeBusyboxRoot } from "../busybox-root.ts";
import { kernelTest, type Need, type Scratch } from "../kernel/harness.ts";
import { Product, testOrlopPath } from "../product.ts";
import { waitUntil } from "../wait-until.ts";
import { request } from "./engine-fixture.ts";

const needs: readonly Need[] = ["root", "executor", "product", "nft", "ip", "busybox"];
const timeoutMs = 60_000;
/** A change by others is made good within this time. */
const repairMs = 5000;
const foreign = "orlop_foreign_test";
const outside = "10.213.250.2";

interface Fixture {
  readonly product: Product;
  /** Whether the container reaches a machine outside of the host. */
  reaches(): Promise<boolean>;
  /** What `network inspect bridge` says of other firewalls. */
  reports(): Promise<readonly string[] | undefined>;
}

async function nft(text: string): Promise<string> {
  const program = Bun.spawn(["nft", "-f", "-"], { stdin: Buffer.from(text), stdout: "pipe", stderr: "inherit" });
  const said = await new Response(program.stdout).text();
  expect(await program.exited).toBe(0);
  return said;
}

/** A neighbour of the host, and a container on the default network. */
async function open(scratch: Scratch, env: Readonly<Record<string, string>> = {}): Promise<Fixture> {
  const holder = Bun.spawn(["unshare", "--net", "sh", "-c", "echo ready; exec sleep 1000"], { stdout: "pipe" });
  scratch.defer(async () => {
    holder.kill("SIGKILL");
    await holder.exited;
  });
  await holder.stdout.getReader().read();
  const neighbour = ["nsenter", "-t", String(holder.pid), "--net", "--"];
  // The end of a veth pair counts as somebody's container: a macvlan on it is a link of the host like any other.
  await Bun.$`ip link add olfwtest type veth peer name out netns ${holder.pid}`;
  scratch.defer(() => void Bun.spawnSync(["ip", "link", "delete", "olfwtest"])); // at once: the namespace's end is later
  await Bun.$`ip link add link olfwtest name olfwup type macvlan mode bridge`;
  await Bun.$`ip address add 10.213.250.1/24 dev olfwup && ip link set olfwtest up && ip link set olfwup up`;
  await Bun.$`${neighbour} sh -c ${`ip address add ${outside}/24 dev out; ip link set out up`}`;
  const product = new Product(scratch.directory, { program: testOrlopPath, env });
  scratch.defer(() => nft(`table ip ${foreign} {}\ndelete table ip ${foreign}`).then(() => undefined));
  scratch.defer(() => product.stop());
  const rootfs = makeBusyboxRoot(scratch.directory);
  const body = { Cmd: ["/bin/sh", "-c", "sleep 1000"], HostConfig: { Rootfs: rootfs, NetworkMode: "bridge" } };
  await product.ok("ps");
  expect((await request(product, "POST", "/containers/create?name=web", body)).status).toBe(201);
  expect((await request(product, "POST", "/containers/web/start")).status).toBe(204);
  const inspection = JSON.parse((await request(product, "GET", "/containers/web/json")).body);
  const inside = ["nsenter", `--net=${inspection.NetworkSettings.SandboxKey}`, "--"];
  return {
    product,
    reaches: async () => (await Bun.$`${inside} busybox ping -c 1 -W 1 ${outside}`.quiet().nothrow()).exitCode === 0,
    reports: async () => JSON.parse((await request(product, "GET", "/networks/bridge")).body).OtherFirewalls,
  };
}

async function hasTable(table: string): Promise<boolean> {
  return (await Bun.$`nft list tables`.text()).includes(`table inet ${table}\n`);
}

const dropping = (more: string): string =>
  `table ip ${foreign} {\n${more}\n chain FORWARD { type filter hook forward priority filter; policy drop;\n }\n}`;
const withDockersPlace = `chain DOCKER-USER {\n }\n chain FORWARD { type filter hook forward priority filter; policy drop; jump DOCKER-USER;\n }`;

kernelTest(
  "our table is deleted: it is there again within seconds, and containers reach the world",
  needs,
  async (scratch) => {
    const { product, reaches } = await open(scratch);
    await waitUntil(reaches, repairMs, "the container reaches the world");
    const { table } = linkNamesOf(product.runDir);
    await nft(`delete table inet ${table}`);
    await waitUntil(() => hasTable(table), repairMs, "the table is there");
    await waitUntil(reaches, repairMs, "the container reaches the world");
  },
  timeoutMs,
);

kernelTest(
  "a map of ours is emptied: published ports lead to their container again within seconds",
  needs,
  async (scratch) => {
    const { product } = await open(scratch);
    const { table } = linkNamesOf(product.runDir);
    await product.ok(
      "run",
      "-d",
      "--name",
      "shop",
      "-p",
      "18097:80",
      "host",
      "busybox",
      "nc",
      "-ll",
      "-p",
      "80",
      "-e",
      "echo",
      "hi",
    );
    const leads = async (): Promise<boolean> =>
      (await Bun.$`nft list map inet ${table} ports4_any`.text()).includes("18097");
    const answers = async (): Promise<boolean> =>
      (await Bun.$`busybox nc 127.0.0.1 18097 < /dev/null`.quiet().nothrow().text()) === "hi\n";
    await waitUntil(answers, repairMs, "the port answers");
    expect(await leads()).toBe(true);
    await nft(`flush map inet ${table} ports4_any`);
    await waitUntil(leads, repairMs, "the rules lead to it again");
    await waitUntil(answers, repairMs, "the port answers again");
    const bridge = linkNamesOf(product.runDir).defaultBridge;
    const guarded = async (): Promise<string> =>
      (await Bun.file(`/proc/sys/net/ipv4/conf/${bridge}/route_localnet`).text()).trim();
    await waitUntil(async () => (await guarded()) === "1", repairMs, "127.0.0.1 leads to bridges again");
  },
  timeoutMs,
);

kernelTest(
  "a chain that drops what is forwarded gets a passage in DOCKER-USER, again when that is flushed, and none afterwards",
  needs,
  async (scratch) => {
    const { product, reaches, reports } = await open(scratch);
    expect(await reports()).toBeUndefined();
    const explained = () => product.ok("explain", "run", "--rm", "host", "true");
    expect(await explained()).not.toContain("DOCKER-USER");
    await nft(`table ip ${foreign} {\n${withDockersPlace}\n}`);
    await waitUntil(async () => (await reports()) !== undefined, repairMs, "it is seen");
    expect(await reports()).toEqual([expect.stringContaining("is in DOCKER-USER (Docker)")]);
    const { bridgePrefix } = linkNamesOf(product.runDir);
    const text = await explained();
    expect(text).toContain(`· insert rule ip ${foreign} DOCKER-USER oifname "${bridgePrefix}*" accept`);
    expect(text).toContain(`iifname "${bridgePrefix}*" oifname "olfwup" accept`);
    expect(text).toContain("1. netlink: Docker drops what is forwarded: a passage for Orlop's networks");
    await waitUntil(reaches, repairMs, "the container reaches the world");
    const rules = await Bun.$`nft list chain ip ${foreign} DOCKER-USER`.text();
    expect(rules).toMatch(
      /oifname "ol[0-9a-f]{4}-\*" counter packets \d+ bytes \d+ accept comment "orlop_[0-9a-f]{4} forwards/,
    );
    await nft(`flush chain ip ${foreign} DOCKER-USER`);
    await waitUntil(reaches, repairMs, "the container reaches the world although the chain was flushed");
    await nft(`delete table ip ${foreign}`);
    await nft(`table ip ${foreign} {\n${withDockersPlace}\n}`);
    await waitUntil(reaches, repairMs, "the container reaches the world again");
    await product.ok("rm", "-f", "web");
    process.kill(product.enginePid() ?? expect.unreachable("no engine runs"), "SIGKILL"); // the next one takes out what this one put there
    await product.stop();
    expect(await Bun.$`nft list chain ip ${foreign} DOCKER-USER`.text()).not.toContain("forwards");
  },
  timeoutMs,
);

kernelTest(
  "a chain without a place for others is reported, and left alone",
  needs,
  async (scratch) => {
    const { product, reaches, reports } = await open(scratch);
    await nft(dropping(""));
    await waitUntil(async () => (await reports()) !== undefined, repairMs, "it is seen");
    expect(await reports()).toEqual([expect.stringContaining("containers are cut off until a rule there accepts")]);
    expect(await reaches()).toBe(false);
    const explained = (await product.ok("explain", "run", "--rm", "host", "true")).replaceAll("\n", " ");
    expect(explained).toContain(`Note: the chain FORWARD of the nftables table ip ${foreign} drops what is forwarded`);
    await nft(`delete table ip ${foreign}`);
    await waitUntil(async () => (await reports()) === undefined, repairMs, "its end is seen");
    await waitUntil(reaches, repairMs, "the container reaches the world again");
  },
  timeoutMs,
);

kernelTest(
  "iptables-legacy that drops what is forwarded is seen, and what is said to do about it helps, with Docker's chain and without",
  [...needs, "iptables-legacy"],
  async (scratch) => {
    const { product, reaches, reports } = await open(scratch);
    const legacy = (...words: string[]) => Bun.spawnSync(["iptables-legacy", ...words]).exitCode;
    scratch.defer(() => {
      for (const words of ["-P FORWARD ACCEPT", "-F", "-X"]) legacy(...words.split(" "));
    });
    legacy("-L"); // its table is there now, and drops nothing
    expect(await reports()).toBeUndefined();
    expect(legacy("-P", "FORWARD", "DROP")).toBe(0);
    expect(await reaches()).toBe(false);
    for (const chain of ["FORWARD", "DOCKER-USER"]) {
      const [report = ""] = (await reports()) ?? [];
      expect(report).toStartWith("the chain FORWARD of iptables-legacy drops what is forwarded");
      const explained = (await product.ok("explain", "run", "--rm", "host", "true")).replaceAll("\n", " ");
      expect(explained).toContain("Note: the chain FORWARD of iptables-legacy");
      const commands = /somebody runs: (.*)$/.exec(report)?.[1]?.split("; ") ?? [];
      expect(commands.every((command) => command.startsWith(`iptables-legacy -I ${chain} `))).toBe(true);
      for (const command of commands)
        expect([command, Bun.spawnSync(command.split(" ")).exitCode]).toEqual([command, 0]);
      await waitUntil(reaches, repairMs, "the container reaches the world");
      legacy("-F");
      legacy("-N", "DOCKER-USER");
      legacy("-A", "FORWARD", "-j", "DOCKER-USER");
      expect(await reaches()).toBe(false);
    }
    legacy("-P", "FORWARD", "ACCEPT");
    expect(await reports()).toBeUndefined();
    scratch.defer(() => void Bun.spawnSync(["ip6tables-legacy", "-P", "FORWARD", "ACCEPT"]));
    Bun.spawnSync(["ip6tables-legacy", "-P", "FORWARD", "DROP"]);
    expect(await reports()).toEqual([
      expect.stringContaining(
        "the chain FORWARD of ip6tables-legacy drops what is forwarded: containers are cut off until",
      ),
    ]);
    Bun.spawnSync(["ip6tables-legacy", "-P", "FORWARD", "ACCEPT"]);
    expect(await reports()).toBeUndefined();
  },
  timeoutMs,
);

kernelTest(
  "with ORLOP_OTHER_FIREWALLS=leave nothing is put into chains of others",
  needs,
  async (scratch) => {
    const { reports } = await open(scratch, { ORLOP_OTHER_FIREWALLS: "leave" });
    await nft(`table ip ${foreign} {\n${withDockersPlace}\n}`);
    await waitUntil(async () => (await reports()) !== undefined, repairMs, "it is seen");
    expect(await Bun.$`nft list chain ip ${foreign} DOCKER-USER`.text()).not.toContain("forwards");
  },
  timeoutMs,
);
