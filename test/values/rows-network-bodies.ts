/** The bodies of networks: create and disconnect. */

import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import type { Need } from "../kernel/harness.ts";
import { word } from "./generate.ts";
import { acts, type Row, shows } from "./row.ts";
import type { Fragment, Seen, Stage } from "./stage.ts";

const nft: readonly Need[] = ["nft"];

/** A network that is made, and what a container in it prints. */
async function inNetwork(stage: Stage, fields: Fragment, script: string, more: Fragment = {}): Promise<string> {
  const { networks } = stage.product.engine;
  const name = (fields["Name"] as string | undefined) ?? "values-made";
  await networks.create({ ...fields, Name: name } as never);
  try {
    return await stage.printed({ Cmd: ["sh", "-c", script], HostConfig: { NetworkMode: name, ...more } });
  } finally {
    await networks.remove(name);
  }
}

/** What inspect keeps of it. */
async function keptOf(stage: Stage, fields: Fragment, key: string): Promise<string> {
  const { networks } = stage.product.engine;
  await networks.create({ Name: "values-made", ...fields } as never);
  const kept = (await networks.inspect("values-made")) as Readonly<Record<string, unknown>>;
  await networks.remove("values-made");
  return JSON.stringify(kept[key]);
}

const pool = (fields: Fragment): Fragment => ({ IPAM: { Config: [{ Subnet: "10.112.0.0/24", ...fields }] } });
const address = "ip -4 addr show eth0 | grep -o 'inet [^ ]*' | cut -d' ' -f2";
const route = "ip route | grep ^default | cut -d' ' -f3";
const networkRow = <V>(
  values: readonly V[],
  ask: (value: V) => Fragment,
  script: string,
  wanted: (value: V) => string,
): Row => acts(values, (value, stage) => inNetwork(stage, ask(value), script), wanted, nft);

/** Looked at while a container with a published port is in the network, whose bridge is values0. */
type Look = (seen: Seen) => string | Promise<string>;
const mtu: Look = (seen) => seen.inside("cat /sys/class/net/eth0/mtu");
const bridge: Look = (seen) => `${existsSync("/sys/class/net/values0")} ${seen.pid > 0}`;
/** test/network/reach.test.ts tries it with two containers. */
const isolated: Look = () => String(!/set inside \{[^}]*elements = \{[^}]*"values0" \. "values0"/.test(ruleset()));
const masqueraded: Look = () => String(/set masqueraded \{[^}]*elements = \{[^}]*values0/.test(ruleset()));
const binding: Look = async (seen) => {
  const ports = (await seen.inspected("NetworkSettings.Ports")) as Record<string, { HostIp: string }[]>;
  return (ports["80/tcp"] ?? []).map(({ HostIp }) => HostIp).join();
};

function ruleset(): string {
  return execFileSync("nft", ["list", "ruleset"], { encoding: "utf8" });
}

const driver = "com.docker.network.driver";
const ofBridge = "com.docker.network.bridge";

/** [option, its value, where it is seen, what is seen] */
const options: readonly (readonly [string, string, Look, string])[] = [
  [`${driver}.mtu`, "1280", mtu, "1280"],
  [`${driver}.mtu`, "9000", mtu, "9000"],
  [`${ofBridge}.name`, "values0", bridge, "true true"],
  [`${ofBridge}.enable_icc`, "false", isolated, "true"],
  [`${ofBridge}.enable_icc`, "true", isolated, "false"],
  [`${ofBridge}.enable_ip_masquerade`, "false", masqueraded, "false"],
  [`${ofBridge}.enable_ip_masquerade`, "true", masqueraded, "true"],
  [`${ofBridge}.host_binding_ipv4`, "127.0.0.1", binding, "127.0.0.1"],
];

async function withOption([key, value, look]: (typeof options)[number], stage: Stage): Promise<string> {
  const { networks } = stage.product.engine;
  const Options = { [`${ofBridge}.name`]: "values0", [key]: value };
  await networks.create({ ...pool({}), Options, Name: "values-made" } as never);
  const ask = { ExposedPorts: { "80/tcp": {} }, HostConfig: { NetworkMode: "values-made", PublishAllPorts: true } };
  try {
    return await stage.running(ask, look);
  } finally {
    await networks.remove("values-made");
  }
}

export const networkCreateRows: Readonly<Record<string, Row>> = {
  Name: networkRow(
    ["a1", "A.b-c_d", `x${word(100)}`],
    (Name) => ({ Name }),
    "ls /sys/class/net | xargs echo",
    () => "eth0 lo",
  ),
  Driver: networkRow(
    ["", "bridge"],
    (Driver) => ({ Driver }),
    "ls /sys/class/net | xargs echo",
    () => "eth0 lo",
  ),
  Scope: acts(["", "local"], (Scope, stage) => keptOf(stage, { Scope }, "Scope"), '"local"', nft),
  Internal: networkRow(
    [true, false],
    (Internal) => ({ Internal }),
    "ip route | grep -c ^default",
    (value) => (value ? "0" : "1"),
  ),
  // For swarm's tasks; containers may be attached to every network.
  Attachable: acts([true, false], (Attachable, stage) => keptOf(stage, { Attachable }, "Attachable"), String, nft),
  "IPAM.Driver": networkRow(
    ["", "default"],
    (Driver) => ({ IPAM: { Driver } }),
    "ls /sys/class/net | xargs echo",
    () => "eth0 lo",
  ),
  "IPAM.Options.*": acts(
    [{}, { key: "value" }],
    (Options, stage) =>
      keptOf(stage, { IPAM: { Driver: "default", Options } }, "IPAM").then((text) =>
        JSON.stringify(JSON.parse(text).Options),
      ),
    (value) => JSON.stringify(value),
    nft,
  ),
  "IPAM.Config[].Subnet": networkRow(
    ["10.112.0.0/16", "10.112.7.0/24", "10.112.7.8/29", "192.168.250.0/30"],
    (Subnet) => pool({ Subnet }),
    address,
    (subnet) => {
      const [base = "", prefix] = subnet.split("/");
      return `${base.replace(/\d+$/, (last) => String(Number(last) + 2))}/${prefix}`;
    },
  ),
  "IPAM.Config[].IPRange": networkRow(
    ["10.112.0.64/26", "10.112.0.200/32", "10.112.0.128/25"],
    (IPRange) => pool({ IPRange }),
    address,
    (range) => `${range === "10.112.0.200/32" ? "10.112.0.200" : range.split("/")[0]}/24`,
  ),
  "IPAM.Config[].Gateway": networkRow(
    ["10.112.0.1", "10.112.0.254", "10.112.0.9"],
    (Gateway) => pool({ Gateway }),
    route,
    String,
  ),
  "IPAM.Config[].AuxiliaryAddresses.*": networkRow(
    ["10.112.0.2", "10.112.0.3"],
    (host) => pool({ AuxiliaryAddresses: { router: host } }),
    address,
    (host) => (host === "10.112.0.2" ? "10.112.0.3/24" : "10.112.0.2/24"),
  ),
  EnableIPv4: networkRow(
    [true, false],
    (EnableIPv4) => ({ EnableIPv4, EnableIPv6: true }),
    "ip -4 addr show eth0 | grep -c inet",
    (value) => (value ? "1" : "0"),
  ),
  EnableIPv6: networkRow(
    [true, false],
    (EnableIPv6) => ({ EnableIPv6 }),
    "ip -6 addr show eth0 scope global 2>/dev/null | grep -c inet6",
    (value) => (value ? "1" : "0"),
  ),
  "Options.*": acts(options, withOption, ([, , , wanted]) => wanted, nft),
  "Labels.*": acts(
    [{ a: "b" }, { "x.y": "" }],
    (Labels, stage) => keptOf(stage, { Labels }, "Labels"),
    (value) => JSON.stringify(value),
    nft,
  ),
};

export const disconnectRows: Readonly<Record<string, Row>> = {
  Container: shows(
    ["id", "name"],
    () => ({ HostConfig: { NetworkMode: "values" } }),
    async (seen, by) =>
      disconnected(seen, by === "id" ? seen.id : ((await seen.inspected("Name")) as string).slice(1), false),
    "lo",
    nft,
  ),
  Force: shows(
    [true, false],
    () => ({ HostConfig: { NetworkMode: "values" } }),
    (seen, force) => disconnected(seen, seen.id, force),
    "lo",
    nft,
  ),
};

async function disconnected(seen: Seen, container: string, force: boolean): Promise<string> {
  await seen.stage.product.engine.networks.disconnect("values", container, force);
  return seen.inside("ls /sys/class/net | xargs echo");
}
