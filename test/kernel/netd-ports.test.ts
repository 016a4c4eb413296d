/** netd holds published ports: nobody else gets them, whoever dies. */

import { expect } from "bun:test";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { type HeldPorts, PortRefused } from "../../src/kernel/netd.ts";
import { NetdLink } from "../../src/kernel/netd-link.ts";
import { waitUntil } from "../wait-until.ts";
import { kernelTest, type Need } from "./harness.ts";
import { any4, any6, canListen, linkTo, loopback4, netdPid, openUdp, serve, startNetd } from "./netd-fixture.ts";
import { isAlive, startSupervisor, stopSupervisor } from "./supervisor-fixture.ts";

const needs: readonly Need[] = ["root", "executor"];

const ports = (address: Uint8Array, first: number, more: Partial<HeldPorts> = {}): HeldPorts => ({
  protocol: "tcp",
  address,
  first,
  last: first,
  ...more,
});

async function refusal(promise: Promise<void>): Promise<PortRefused> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(PortRefused);
  return error as PortRefused;
}

kernelTest("no process of the host can take a held port, until it is let go", needs, async (scratch) => {
  const { link } = await startNetd(scratch);
  await link.hold("web", [ports(any4, 18080), ports(any6, 18080), ports(any4, 18081, { protocol: "udp" })]);
  expect(await link.state()).toMatchObject({ owners: 1, ports: 3, relays: 0 });
  for (const host of ["0.0.0.0", "127.0.0.1", "::", "::1"]) expect(await canListen(host, 18080)).toBe(false);
  await expect(openUdp({ ...scratch, defer: () => undefined }, "127.0.0.1", 18081)).rejects.toThrow("EADDRINUSE");
  await link.hold("web", []);
  expect(await canListen("0.0.0.0", 18080)).toBe(true);
  expect(await canListen("::", 18080)).toBe(true);
});

kernelTest("one address is held, and the others stay free", needs, async (scratch) => {
  const { link } = await startNetd(scratch);
  await link.hold("web", [ports(loopback4, 18080)]);
  expect(await canListen("127.0.0.1", 18080)).toBe(false);
  expect(await canListen("127.0.0.2", 18080)).toBe(true);
  expect(await canListen("::1", 18080)).toBe(true);
});

kernelTest("a port in use is refused, with the process that has it", needs, async (scratch) => {
  const { link } = await startNetd(scratch);
  const taken = await serve(scratch, (socket) => socket.end());
  const refused = await refusal(link.hold("web", [ports(any4, 18082), ports(any4, taken)]));
  expect(refused).toMatchObject({ port: taken, errno: "EADDRINUSE", holder: { pid: process.pid, command: "bun" } });
  expect(await canListen("0.0.0.0", 18082)).toBe(true); // all or none
  expect(await link.state()).toMatchObject({ owners: 0, ports: 0 });
});

kernelTest("a udp port in use is refused likewise", needs, async (scratch) => {
  const { link } = await startNetd(scratch);
  const socket = await openUdp(scratch, "::1", 0);
  const port = socket.address().port;
  const refused = await refusal(link.hold("web", [ports(any6, port, { protocol: "udp" })]));
  expect(refused).toMatchObject({ port, errno: "EADDRINUSE", holder: { pid: process.pid } });
});

kernelTest("what another container of ours has is refused with that container", needs, async (scratch) => {
  const { link } = await startNetd(scratch);
  await link.hold("first", [ports(any4, 18080, { last: 18090 })]);
  const refused = await refusal(link.hold("second", [ports(loopback4, 18085)]));
  expect(refused).toMatchObject({ port: 18085, errno: "EADDRINUSE", holder: { owner: "first" } });
  await link.hold("first", []);
  await link.hold("second", [ports(loopback4, 18085)]);
});

kernelTest("an address that this machine does not have is refused as such", needs, async (scratch) => {
  const { link } = await startNetd(scratch);
  const refused = await refusal(link.hold("web", [ports(Uint8Array.of(192, 0, 2, 1), 80)]));
  expect(refused).toMatchObject({ errno: "EADDRNOTAVAIL", holder: undefined });
});

kernelTest("sctp is held where the kernel has it, and by nothing where it has none", needs, async (scratch) => {
  const { link } = await startNetd(scratch);
  await link.hold("web", [ports(any4, 18080, { protocol: "sctp" })]);
  expect(await link.state()).toMatchObject({ ports: 1 });
  await link.hold("web", []);
  expect(await link.state()).toMatchObject({ ports: 0 });
});

kernelTest("a thousand ports are held at once", needs, async (scratch) => {
  const { link } = await startNetd(scratch);
  const range = [any4, any6].map((address) => ports(address, 20000, { last: 20999 }));
  await link.hold("many", range);
  expect(await link.state()).toMatchObject({ ports: 2000 });
  expect(await canListen("0.0.0.0", 20999)).toBe(false);
});

kernelTest("an owner's new ports may overlap its old ones", needs, async (scratch) => {
  const { link } = await startNetd(scratch);
  await link.hold("web", [ports(any4, 20000, { last: 20010 }), ports(any6, 20000)]);
  await link.hold("web", [ports(any4, 20005, { last: 20020 }), ports(any6, 20000)]);
  expect(await link.state()).toMatchObject({ ports: 17 });
  expect(await canListen("0.0.0.0", 20000)).toBe(true);
});

kernelTest("a held port without a relay refuses connections, as a closed one does", needs, async (scratch) => {
  const { link } = await startNetd(scratch);
  await link.hold("web", [ports(any4, 18080)]);
  const socket = connect(18080, "127.0.0.1");
  const [error] = (await once(socket, "error").catch((thrown: unknown) => [thrown])) as [{ code: string }];
  expect(["ECONNRESET", "ECONNREFUSED"]).toContain(error.code);
});

kernelTest(
  "ports stay held while no engine lives; the next engine lets go what it does not know",
  needs,
  async (scratch) => {
    const { link, supervisor } = await startNetd(scratch);
    await link.hold("kept", [ports(any4, 18080)]);
    await link.hold("forgotten", [ports(any4, 18081)]);
    const pid = netdPid(supervisor.runDirectory);
    link[Symbol.dispose]();
    expect(await canListen("0.0.0.0", 18080)).toBe(false);
    const ignorant = await linkTo(scratch, supervisor.runDirectory);
    expect(await canListen("0.0.0.0", 18080)).toBe(true);
    ignorant[Symbol.dispose]();
    await waitUntil(() => !isAlive(pid), 5000, "nothing is held any more: netd has left");
  },
);

kernelTest("an engine that knows a port keeps its very socket", needs, async (scratch) => {
  const { link, supervisor } = await startNetd(scratch);
  await link.hold("kept", [ports(any4, 18080)]);
  await link.hold("forgotten", [ports(any4, 18081)]);
  const inode = socketOn(netdPid(supervisor.runDirectory), 18080);
  link[Symbol.dispose]();
  using next = new NetdLink(supervisor.runDirectory);
  const held = next.hold("kept", [ports(any4, 18080)]);
  await next.sync();
  await held;
  expect(await next.state()).toMatchObject({ owners: 1, ports: 1 });
  expect(socketOn(netdPid(supervisor.runDirectory), 18080)).toBe(inode);
  expect(await canListen("0.0.0.0", 18081)).toBe(true);
});

kernelTest("netd is killed: the engine starts another, which holds the same", needs, async (scratch) => {
  const { link, supervisor } = await startNetd(scratch);
  await link.hold("web", [ports(any4, 18080)]);
  const pid = netdPid(supervisor.runDirectory);
  process.kill(pid, "SIGKILL");
  await waitUntil(() => netdPid(supervisor.runDirectory) !== pid, 5000, "another netd");
  expect(await link.state()).toMatchObject({ ports: 1 });
  expect(await canListen("0.0.0.0", 18080)).toBe(false);
});

kernelTest("requests on their way to a netd that dies are answered by the next one", needs, async (scratch) => {
  const { link, supervisor } = await startNetd(scratch);
  await link.hold("first", [ports(any4, 18099)]);
  process.kill(netdPid(supervisor.runDirectory), "SIGSTOP");
  const held = Array.from({ length: 50 }, (_, index) => link.hold(`web-${index}`, [ports(any4, 18100 + index)]));
  process.kill(netdPid(supervisor.runDirectory), "SIGKILL");
  await Promise.all(held);
  expect(await link.state()).toMatchObject({ owners: 51, ports: 51 });
});

kernelTest("netd outlives its supervisor, and the next supervisor finds it", needs, async (scratch) => {
  const { link, supervisor } = await startNetd(scratch);
  await link.hold("web", [ports(any4, 18080)]);
  const pid = netdPid(supervisor.runDirectory);
  process.kill(supervisor.pid, "SIGKILL");
  await waitUntil(() => !isAlive(supervisor.pid), 5000, "the supervisor is gone");
  link[Symbol.dispose]();
  const second = await startSupervisor(scratch);
  const next = new NetdLink(second.runDirectory);
  const held = next.hold("web", [ports(any4, 18080)]);
  await next.sync();
  await held;
  expect(netdPid(second.runDirectory)).toBe(pid);
  await stopSupervisor(second.runDirectory);
  await next.hold("web", []); // netd is the last one: it takes the supervisor's group along
  next[Symbol.dispose]();
  await waitUntil(() => !isAlive(pid), 5000, "netd has left");
});

kernelTest("no netd is started for nothing", needs, async (scratch) => {
  const { runDirectory } = await startSupervisor(scratch);
  using link = new NetdLink(runDirectory);
  await link.sync();
  await link.hold("web", []);
  expect(await link.state()).toMatchObject({ owners: 0, ports: 0, relays: 0 });
  expect(() => netdPid(runDirectory)).toThrow("ENOENT");
});

/** The inode of netd's socket on this port. */
function socketOn(pid: number, port: number): string {
  const lines = readFileSync(`/proc/${pid}/net/tcp`, "utf8").split("\n");
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const line = lines.find((text) => text.trim().split(/\s+/)[1]?.endsWith(suffix));
  return line?.trim().split(/\s+/)[9] ?? "";
}
