import { describe, expect, test } from "bun:test";
import type { PortBinding } from "../../spec/engine-api-network.ts";
import { PortTable, type WishInput, wishesOf } from "./port-table.ts";

const everywhere = { exposed: [], publishAll: false, hostBinding4: "", hostBinding6: "", hasIpv6: true };
const wishes = (bindings: Record<string, readonly Partial<PortBinding>[]>, more: Partial<WishInput> = {}) => {
  const whole = Object.entries(bindings).map(([key, given]) => [
    key,
    given.map((one) => ({ HostIp: "", HostPort: "", ...one })),
  ]);
  return wishesOf({ ...everywhere, bindings: Object.fromEntries(whole), ...more });
};

const shown = (chosen: ReturnType<PortTable["choose"]>) =>
  Array.isArray(chosen)
    ? chosen.map(
        ({ protocol, hostAddress, hostPort, containerPort }) =>
          `${protocol} ${hostAddress}:${hostPort}>${containerPort}`,
      )
    : `taken by ${chosen.owner}: ${chosen.hostAddress}:${chosen.hostPort}`;

describe("what is asked for", () => {
  test.each([
    [{ "80/tcp": [{ HostPort: "8080" }] }, ["tcp 0.0.0.0:8080>80", "tcp :::8080>80"]],
    [{ "80/tcp": [{ HostIp: "127.0.0.1", HostPort: "8080" }] }, ["tcp 127.0.0.1:8080>80"]],
    [{ "53/udp": [{}] }, ["udp 0.0.0.0:32768>53", "udp :::32768>53"]],
    [{ "53/udp": [] }, ["udp 0.0.0.0:32768>53", "udp :::32768>53"]],
  ])("%j", (bindings, ports) => {
    expect(shown(new PortTable().choose(wishes(bindings)))).toEqual(ports);
  });

  test("-P gives a free port to each that is exposed and not published", () => {
    const input = { exposed: ["80/tcp", "81/tcp"], publishAll: true, hasIpv6: false };
    expect(shown(new PortTable().choose(wishes({ "80/tcp": [{ HostPort: "8080" }] }, input)))).toEqual([
      "tcp 0.0.0.0:8080>80",
      "tcp 0.0.0.0:32768>81",
    ]);
  });

  test("a network's own binding is for ports that name no address", () => {
    expect(
      shown(new PortTable().choose(wishes({ "80/tcp": [{ HostPort: "1" }] }, { hostBinding4: "127.0.0.1" }))),
    ).toEqual(["tcp 127.0.0.1:1>80"]);
  });
});

describe("what is taken", () => {
  const table = new PortTable();
  const first = table.choose(wishes({ "80/tcp": [{ HostIp: "127.0.0.1", HostPort: "8080" }] }));
  if (Array.isArray(first)) table.take("web", first);

  test.each([
    ["8080", "", "taken by web: 0.0.0.0:8080"],
    ["8080", "127.0.0.1", "taken by web: 127.0.0.1:8080"],
    ["8080", "127.0.0.2", ["tcp 127.0.0.2:8080>80"]],
    ["8080", "::1", ["tcp ::1:8080>80"]],
    ["8080-8081", "127.0.0.1", ["tcp 127.0.0.1:8081>80"]],
  ])("%s on %p", (HostPort, HostIp, outcome) => {
    expect(shown(table.choose(wishes({ "80/tcp": [{ HostIp, HostPort }] })))).toEqual(outcome);
  });

  test("one container cannot have a port twice", () => {
    const twice = { "80/tcp": [{ HostPort: "9" }], "81/tcp": [{ HostPort: "9" }] };
    expect(shown(table.choose(wishes(twice)))).toBe("taken by : 0.0.0.0:9");
  });

  test("the kernel may refuse one: then another is chosen", () => {
    const any = wishes({ "80/tcp": [{ HostIp: "127.0.0.1" }] });
    const [chosen] = shown(new PortTable().choose(any, new Set(["tcp/32768"])));
    expect(chosen).toBe("tcp 127.0.0.1:32769>80");
  });

  test("is free again when its container lets go", () => {
    table.release("web");
    expect(shown(table.choose(wishes({ "80/tcp": [{ HostIp: "127.0.0.1", HostPort: "8080" }] })))).toEqual([
      "tcp 127.0.0.1:8080>80",
    ]);
  });
});
