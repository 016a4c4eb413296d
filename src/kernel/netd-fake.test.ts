import { expect, test } from "bun:test";
import { type HeldPorts, PortRefused } from "./netd.ts";
import { FakeNetd } from "./netd-fake.ts";

const ports: HeldPorts = { protocol: "tcp", address: new Uint8Array(4), first: 80, last: 89 };

test("the fake holds what it is told, as the real one does", async () => {
  using netd = new FakeNetd();
  await netd.hold("web", [ports]);
  expect(await netd.state()).toEqual({ owners: 1, ports: 10, relays: 0, resolvers: 0, named: 0 });
  netd.onHold = () => {
    throw new PortRefused(ports, 85, "EADDRINUSE", { owner: "other" });
  };
  await expect(netd.hold("web", [ports])).rejects.toThrow("tcp port 85: EADDRINUSE");
  expect(netd.ports.size).toBe(0);
});
