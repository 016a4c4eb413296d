/** A container's networks: where it is, its names, its ports. At create and by connect. */

import { readlinkSync } from "node:fs";
import type { Need } from "../kernel/harness.ts";
import { waitUntil } from "../wait-until.ts";
import { acts, prints, type Row, shows } from "./row.ts";
import { type Fragment, merged, type Seen, type Stage } from "./stage.ts";

const needs: readonly Need[] = ["nft"];
const waitMs = 10_000;
const inValues: Fragment = { HostConfig: { NetworkMode: "values" } };

const inBridge: Fragment = { HostConfig: { NetworkMode: "bridge" } };

const netOf = (pid: number | "self"): string => readlinkSync(`/proc/${pid}/ns/net`);

/** An endpoint in "values", asked for at create. */
const endpoint = (settings: Fragment): Fragment =>
  merged(inValues, { NetworkingConfig: { EndpointsConfig: { values: settings } } });

interface EndpointField<V> {
  readonly values: readonly V[];
  readonly ask: (value: V) => Fragment;
  /** In the container, once it is in the network as eth0. */
  readonly script: string;
  readonly wanted: (value: V) => string;
}

const field = <V>(
  values: readonly V[],
  ask: (value: V) => Fragment,
  script: string,
  wanted: (value: V) => string,
): EndpointField<V> => ({ values, ask, script, wanted });

/** By the field's path in EndpointSettings. */
const endpointFields = {
  "IPAMConfig.IPv4Address": field(
    ["10.111.0.60", "10.111.0.77", "10.111.0.254"],
    (IPv4Address) => ({ IPAMConfig: { IPv4Address } }),
    "ip -4 addr show eth0 | grep -o 'inet [^ ]*'",
    (value) => `inet ${value}/24`,
  ),
  "IPAMConfig.IPv6Address": field(
    ["fd00:111::60", "fd00:111::abcd", "fd00:111::ffff:ffff:ffff:fffe"],
    (IPv6Address) => ({ IPAMConfig: { IPv6Address } }),
    "ip -6 addr show eth0 scope global | grep -o 'inet6 [^ ]*'",
    (value) => `inet6 ${value}/64`,
  ),
  "IPAMConfig.LinkLocalIPs[]": field(
    ["169.254.1.1", "169.254.255.254", "fe80::99", "fe80::ffff:ffff:ffff:ffff"],
    (address) => ({ IPAMConfig: { LinkLocalIPs: [address] } }),
    "ip addr show eth0 | grep -oE 'inet6? (169[^ ]*|fe80::(99|ff)[^ ]*)'",
    (value) => (value.includes(":") ? `inet6 ${value}/64` : `inet ${value}/16`),
  ),
  "DriverOpts.*": field(
    [
      "com.docker.network.endpoint.ifname=front0",
      "com.docker.network.endpoint.ifname=fifteen-bytes.0",
      "com.docker.network.endpoint.sysctls=net.ipv4.conf.IFNAME.log_martians=1",
      "com.docker.network.endpoint.sysctls=net.ipv4.conf.IFNAME.log_martians=1,net.ipv6.neigh.IFNAME.ucast_solicit=7",
    ],
    (option) => {
      const [name = "", ...value] = option.split("=");
      return { DriverOpts: { [name]: value.join("=") } };
    },
    "cd /proc/sys/net; for n in $(ls /sys/class/net | grep -v '^lo$'); do echo $n | grep -v '^eth[01]$'; echo $(cat ipv4/conf/$n/log_martians ipv6/neigh/$n/ucast_solicit); done | xargs echo",
    (option) => {
      const value = option.slice(option.indexOf("=") + 1);
      if (option.includes("ifname")) return `${value} 0 3`;
      return value.includes(",") ? "1 7" : "1 3";
    },
  ),
  MacAddress: field(
    ["02:42:0a:6f:00:63", "12:34:56:78:9A:BC", "fe:ff:ff:ff:ff:ff"],
    (MacAddress) => ({ MacAddress }),
    "cat /sys/class/net/eth0/address",
    (value) => value.toLowerCase(),
  ),
  "Aliases[]": field(
    ["other", "a.b-c", "x".repeat(60)],
    (alias) => ({ Aliases: [alias] }),
    'for name in other a.b-c $(printf "%060d" 0 | tr 0 x); do nslookup $name 127.0.0.11 2>/dev/null | grep -q 10.111.0 && echo $name; done | xargs echo',
    (alias) => alias,
  ),
  "Links[]": field(
    ["values-neighbour:peer", "values-neighbour"],
    (link) => ({ Links: [link] }),
    "for name in peer values-neighbour; do nslookup $name 127.0.0.11 2>/dev/null | grep -q 10.111.0 && echo $name; done | xargs echo",
    (link) => (link.includes(":") ? "peer values-neighbour" : "values-neighbour"),
  ),
} as const;

/** The engine finds these out itself; what a client sends back to it (compose copies whole endpoints) changes nothing. */
const found = {
  NetworkID: "0123",
  EndpointID: "4567",
  Gateway: "10.111.0.9",
  IPAddress: "10.111.0.200",
  IPPrefixLen: 8,
  IPv6Gateway: "fd00:111::9",
  GlobalIPv6Address: "fd00:111::200",
  GlobalIPv6PrefixLen: 8,
  "DNSNames[]": ["nobody"],
} as const;

type Field = EndpointField<string>;

function createRow({ values, ask, script, wanted }: Field): Row {
  const see = async (value: string, stage: Stage) => {
    return stage.running(endpoint(ask(value)), (seen) => seen.inside(script));
  };
  return acts(values, see, wanted, needs);
}

function connectRow({ values, ask, script, wanted }: Field): Row {
  const see = async (value: string, stage: Stage) => {
    return stage.running(inBridge, (seen) => connected(seen, ask(value), script));
  };
  return acts(values, see, wanted, needs);
}

async function connected(seen: Seen, settings: Fragment, script: string): Promise<string> {
  await moved(seen);
  await seen.stage.product.engine.networks.connect("values", seen.id, settings);
  return (await seen.inside(script.replaceAll("eth0", "$(ls /sys/class/net | grep -v lo)"))).trim();
}

/** So that the next network is the only one. */
async function moved({ stage, id }: Seen): Promise<void> {
  await stage.product.engine.networks.disconnect("bridge", id, false);
}

/** What was sent is not what is shown. */
async function isTaken(seen: Seen, key: string, value: unknown): Promise<string> {
  const shown = await seen.inspected(`NetworkSettings.Networks.values.${key}`);
  return JSON.stringify(shown) === JSON.stringify(value) ? "taken" : "the engine's own";
}

/** Asks from the host what a container says to everybody who connects. */
async function answerAt(host: string, port: number): Promise<string> {
  let said = "";
  await waitUntil(
    async () => {
      said = await connectTo(host, port);
      return said !== "";
    },
    waitMs,
    `something answers at ${host}:${port}`,
  );
  return said;
}

function connectTo(hostname: string, port: number): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    Bun.connect({
      hostname,
      port,
      socket: {
        data: (_, bytes) => {
          text += Buffer.from(bytes).toString();
        },
        close: () => resolve(text.trim()),
        error: () => resolve(""),
      },
    }).catch(() => resolve(""));
  });
}

const answering = ["sh", "-c", "exec nc -ll -p 80 -e echo hello"];
const publish = (HostIp: string, HostPort: string): Fragment =>
  merged(inValues, { Cmd: answering, HostConfig: { PortBindings: { "80/tcp": [{ HostIp, HostPort }] } } });

async function published(seen: Seen): Promise<readonly { readonly HostIp: string; readonly HostPort: string }[]> {
  const ports = (await seen.inspected("NetworkSettings.Ports")) as Record<
    string,
    { HostIp: string; HostPort: string }[]
  >;
  return ports["80/tcp"] ?? [];
}

export const networkRows: Readonly<Record<string, Row>> = {
  "HostConfig.NetworkMode": acts(
    ["none", "host", "bridge", "default", "", "values", "container:values-neighbour"],
    async (NetworkMode, stage) => {
      return stage.running({ HostConfig: { NetworkMode } }, async (seen) => {
        if (netOf(seen.pid) === netOf("self")) return "host's";
        const { State } = await stage.product.engine.containers.inspect("values-neighbour");
        if (netOf(seen.pid) === netOf(State.Pid)) return "neighbour's";
        const address = await seen.inside(
          "ip -4 addr show eth0 2>/dev/null | grep -o 'inet [0-9]*.[0-9]*' || echo alone",
        );
        return address.replace("inet 10.111", "values").replace(/^inet .*/, "bridge");
      });
    },
    (mode) =>
      ({ none: "alone", host: "host's", values: "values", "container:values-neighbour": "neighbour's" })[mode] ??
      "bridge",
    needs,
  ),
  "HostConfig.PortBindings.*[].HostIp": shows(
    ["127.0.0.1", "0.0.0.0", "", "127.0.0.2"],
    (HostIp) => publish(HostIp, ""),
    async (seen, HostIp) => {
      const ports = await published(seen);
      const { HostPort = "0" } = ports[0] ?? {};
      const host = HostIp === "" || HostIp === "0.0.0.0" ? "127.0.0.1" : HostIp;
      return `${ports
        .map((port) => port.HostIp)
        .sort()
        .join(" ")} ${await answerAt(host, Number(HostPort))}`;
    },
    (HostIp) => `${HostIp === "" ? "0.0.0.0 ::" : HostIp} hello`,
    needs,
  ),
  "HostConfig.PortBindings.*[].HostPort": shows(
    ["", "0", "1", "18080", "65535", "20000-20010"],
    (HostPort) => publish("127.0.0.1", HostPort),
    async (seen, asked) => {
      const port = Number((await published(seen))[0]?.HostPort);
      const [first = 0, last = first] = asked.split("-").map(Number);
      const isRight = first === 0 ? port > 1023 : port >= first && port <= last;
      return `${isRight} ${await answerAt("127.0.0.1", port)}`;
    },
    "true hello",
    needs,
  ),
  "HostConfig.PublishAllPorts": shows(
    [true, false],
    (PublishAllPorts) =>
      merged(inValues, { Cmd: answering, ExposedPorts: { "80/tcp": {} }, HostConfig: { PublishAllPorts } }),
    async (seen) => {
      const port = (await published(seen))[0]?.HostPort;
      return port === undefined ? "none" : answerAt("127.0.0.1", Number(port));
    },
    (value) => (value ? "hello" : "none"),
    needs,
  ),
  "HostConfig.Dns[]": prints(
    ["1.2.3.4", "2001:db8::1"],
    (server) => ({ HostConfig: { Dns: [server], NetworkMode: "bridge" } }),
    "grep ^nameserver /etc/resolv.conf",
    (server) => `nameserver ${server}`,
    needs,
  ),
  "HostConfig.DnsOptions[]": prints(
    ["ndots:5", "timeout:1", "rotate"],
    (option) => ({ HostConfig: { DnsOptions: [option], NetworkMode: "bridge" } }),
    "grep ^options /etc/resolv.conf",
    (option) => `options ${option}`,
    needs,
  ),
  "HostConfig.DnsSearch[]": prints(
    ["example.com", "a.b.c"],
    (domain) => ({ HostConfig: { DnsSearch: [domain], NetworkMode: "bridge" } }),
    "grep ^search /etc/resolv.conf",
    (domain) => `search ${domain}`,
    needs,
  ),
  "HostConfig.ExtraHosts[]": prints(
    ["one:1.2.3.4", "six:2001:db8::1", "six:[2001:db8::1]", "gate:host-gateway"],
    (entry) => merged(inValues, { HostConfig: { ExtraHosts: [entry] } }),
    "tr '\\t' ' ' </etc/hosts | grep -e ' one$' -e ' six$' -e ' gate$'",
    (entry) => {
      const [name = "", ...address] = entry.split(":");
      const written = address.join(":").replace(/[[\]]/g, "");
      return written === "host-gateway" ? "10.111.0.1 gate\nfd00:111::1 gate" : `${written} ${name}`;
    },
    needs,
  ),
  "HostConfig.Links[]": acts(
    ["values-neighbour:peer", "values-neighbour"],
    async (link, stage) => {
      const script = endpointFields["Links[]"].script;
      return stage.running(merged(inValues, { HostConfig: { Links: [link] } }), (seen) => seen.inside(script));
    },
    endpointFields["Links[]"].wanted,
    needs,
  ),
  // Two networks: the default route is of the one with more.
  "NetworkingConfig.EndpointsConfig.*.GwPriority": acts(
    [1, 2_147_483_647, -2_147_483_648],
    (GwPriority, stage) =>
      stage.running(
        merged(endpoint({ GwPriority }), { NetworkingConfig: { EndpointsConfig: { bridge: {} } } }),
        async (seen) => ((await seen.inside("ip route | grep ^default")).includes("10.111.0.1") ? "values" : "bridge"),
      ),
    (value) => (value > 0 ? "values" : "bridge"),
    needs,
  ),
  ...Object.fromEntries(
    Object.entries(endpointFields).map(([name, one]) => [
      `NetworkingConfig.EndpointsConfig.*.${name}`,
      createRow(one as unknown as Field),
    ]),
  ),
  ...Object.fromEntries(
    Object.entries(found).map(([name, value]) => {
      const key = name.replace("[]", "");
      const look = (seen: Seen) => isTaken(seen, key, value);
      const row = shows([value], () => endpoint({ [key]: value }), look, "the engine's own", needs);
      return [`NetworkingConfig.EndpointsConfig.*.${name}`, row];
    }),
  ),
};

export const connectRows: Readonly<Record<string, Row>> = {
  Container: acts(
    ["name", "id"],
    (by, stage) =>
      stage.running(
        inBridge,
        async (seen) => {
          await moved(seen);
          await stage.product.engine.networks.connect("values", by === "id" ? seen.id : "values-connected", {});
          return Object.keys((await seen.inspected("NetworkSettings.Networks")) as object).join();
        },
        "values-connected",
      ),
    "values",
    needs,
  ),
  "EndpointConfig.GwPriority": acts(
    [1, -1],
    (GwPriority, stage) =>
      stage.running(inBridge, async (seen) => {
        await stage.product.engine.networks.connect("values", seen.id, { GwPriority });
        return (await seen.inside("ip route | grep ^default")).includes("10.111.0.1") ? "values" : "bridge";
      }),
    (value) => (value > 0 ? "values" : "bridge"),
    needs,
  ),
  ...Object.fromEntries(
    Object.entries(endpointFields).map(([name, one]) => [
      `EndpointConfig.${name}`,
      connectRow(one as unknown as Field),
    ]),
  ),
  ...Object.fromEntries(
    Object.entries(found).map(([name, value]) => {
      const key = name.replace("[]", "");
      const see = (_: unknown, stage: Stage) =>
        stage.running(inBridge, async (seen) => {
          await moved(seen);
          await stage.product.engine.networks.connect("values", seen.id, { [key]: value } as never);
          return isTaken(seen, key, value);
        });
      return [`EndpointConfig.${name}`, acts([value], see, "the engine's own", needs)];
    }),
  ),
};
