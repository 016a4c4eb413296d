/** `orlop port`. */
import { OrlopError } from "../base/errors.ts";
import { command } from "./context.ts";

export const port = command({
  name: "port",
  summary: "Show where a container's ports are published on this machine",
  args: "CONTAINER [PORT]",
  flags: {},
  inEngine: true,
  examples: ["orlop port web", "orlop port web 80", "orlop port dns 53/udp"],
  async run({ args, engine, print, warn }) {
    const [name = "", wanted] = args;
    const { NetworkSettings } = await engine.containers.inspect(name);
    const ports = NetworkSettings?.Ports ?? {};
    const key = wanted === undefined ? undefined : wanted.includes("/") ? wanted.toLowerCase() : `${wanted}/tcp`;
    if (key !== undefined && !/^\d{1,5}\/(tcp|udp|sctp)$/.test(key))
      throw OrlopError.of("bad_value", { what: "port", value: wanted ?? "", expected: "PORT or PORT/PROTOCOL" });
    let found = false;
    for (const [inside, places] of Object.entries(ports)) {
      if (key !== undefined && inside !== key) continue;
      for (const { HostIp, HostPort } of places ?? []) {
        found = true;
        const address = `${HostIp.includes(":") ? `[${HostIp}]` : HostIp}:${HostPort}`;
        await print(key === undefined ? `${inside} -> ${address}` : address);
      }
    }
    if (key === undefined || found) return 0;
    await warn(`orlop: no public port ${key} published for ${name}`);
    return 1;
  },
});
