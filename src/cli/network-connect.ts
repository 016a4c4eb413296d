/** `orlop network connect`. */
import { command } from "./context.ts";
import { chooseNetworks } from "./network-flags.ts";

export const networkConnect = command({
  name: "connect",
  summary: "Put a container into a network, even while it runs",
  args: "NETWORK CONTAINER",
  flags: {
    ip: { type: "text", value: "ADDRESS", help: "Its IPv4 address there" },
    ip6: { type: "text", value: "ADDRESS", help: "Its IPv6 address there" },
    alias: { type: "list", value: "NAME", help: "Another name of it there" },
    link: { type: "list", value: "CONTAINER[:NAME]", help: "A name for another container, which only this one knows" },
    macAddress: { type: "text", value: "ADDRESS", help: "Its hardware address there" },
    gwPriority: { type: "integer", help: "The network with the highest number leads to the world" },
    driverOpt: {
      type: "list",
      value: "NAME=VALUE",
      help: "com.docker.network.endpoint.ifname, …endpoint.sysctls (net.ipv4.conf.IFNAME.forwarding=1)",
    },
    linkLocalIp: {
      type: "list",
      value: "ADDRESS",
      help: "An additional address, of 169.254.0.0/16 or fe80::/10",
    },
  },
  inEngine: true,
  examples: ["orlop network connect lan web", "orlop network connect --alias www lan web"],
  async run({ args, flags, engine }) {
    const [network = "", container = ""] = args;
    const named = `name=${network}${flags.gwPriority === undefined ? "" : `,gw-priority=${flags.gwPriority}`}`;
    const { endpoints } = chooseNetworks({
      network: [named],
      linkLocalIp: flags.linkLocalIp,
      driverOpt: flags.driverOpt,
      net: [],
      networkAlias: flags.alias,
      netAlias: [],
      ip: flags.ip,
      ip6: flags.ip6,
      macAddress: flags.macAddress,
      link: flags.link,
    });
    await engine.networks.connect(network, container, endpoints[network] ?? {});
    return 0;
  },
});
