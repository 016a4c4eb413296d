/**
 * What netd's relay costs beside the direct way to a container, and how many names it answers: `bun bench/netd.ts` prints rows for
 * docs/benchmarks.md. Needs root, iperf3, and the test build's executor. ROUNDS makes it longer.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Scratch } from "../test/kernel/harness.ts";
import { loopback6, startNetd } from "../test/kernel/netd-fixture.ts";
import { named, openNamespace, type TestNamespace } from "../test/kernel/netd-names-fixture.ts";
import { describeMachine } from "./machine.ts";
import { figuresOf } from "./statistics.ts";

const rounds = Number(process.env["ROUNDS"] ?? 3);
const secondsEach = 2;
const host = "10.213.251.1";
const container = "10.213.251.2";
const ports = { iperf: 5201, relayed: 5301 };

/** Keeps 32 questions on their way; python, because it is at hand in every namespace and quick to start. */
const asker = `
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect(("127.0.0.11", int(sys.argv[1])))
q = bytes.fromhex("123401000001000000000000037765620000010001")
n, seconds = 0, float(sys.argv[2])
for _ in range(32): s.send(q)
end = time.time() + seconds
while time.time() < end:
    s.recv(600); n += 1; s.send(q)
print(n / seconds)
`;

const undo: (() => void | Promise<void>)[] = [];
const directory = mkdtempSync(join(tmpdir(), "orlop-bench-"));
const scratch: Scratch = { directory, defer: (step) => undo.push(step) };

try {
  await measure();
} finally {
  for (const step of undo.reverse()) await step();
  rmSync(directory, { recursive: true, force: true });
}

async function measure(): Promise<void> {
  const { link } = await startNetd(scratch);
  const inside = await openNamespace(scratch);
  await plugIn(inside);
  const target = { address: Uint8Array.from(container.split("."), Number), port: ports.iperf };
  const { relayed } = ports;
  await link.hold("bench", [{ protocol: "tcp", address: loopback6, first: relayed, last: relayed, relay: target }]);
  const resolver = await link.resolve("bench", { namespace: inside.path, port: 0, scopes: ["net"], upstream: [] });
  await link.name("net", "web", named(["web"], container));

  const direct: number[] = [];
  const through: number[] = [];
  for (let round = 0; round < rounds; round++) {
    direct.push(await gigabits(container, ports.iperf));
    through.push(await gigabits("::1", relayed));
  }
  const answered = Number(await inside.run("python3", "-c", asker, String(resolver), String(secondsEach)));
  await link.hold("bench", []);
  await link.name("net", "web", undefined);
  await link.resolve("bench", undefined);
  console.log(describeMachine().join("\n"));
  const shown = (values: number[]): string => figuresOf(values).median.toFixed(1);
  console.log(`| TCP to a container, direct / through ::1 and netd, Gbit/s | ${shown(direct)} / ${shown(through)} |`);
  console.log(`| names answered, 32 questions on their way, per second | ${Math.round(answered)} |`);
}

/** A pair of links, and iperf3 at its other end. */
async function plugIn(inside: TestNamespace): Promise<void> {
  await Bun.$`ip link add olbench type veth peer name in0 netns ${inside.pid}`;
  await Bun.$`ip address add ${host}/24 dev olbench && ip link set olbench up`;
  await inside.run("sh", "-c", `ip address add ${container}/24 dev in0; ip link set in0 up`);
  const server = Bun.spawn(["nsenter", "-t", String(inside.pid), "--net", "--", "iperf3", "-s"], { stdout: "ignore" });
  scratch.defer(async () => {
    server.kill();
    await server.exited;
  });
  await Bun.sleep(300); // it says nothing when it is ready
}

async function gigabits(address: string, port: number): Promise<number> {
  const said = await Bun.$`iperf3 -c ${address} -p ${port} -t ${secondsEach} -J`.json();
  return said.end.sum_received.bits_per_second / 1e9;
}
