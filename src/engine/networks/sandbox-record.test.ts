import { expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type PublishedPort, readSandbox, runsOf, writeSandbox } from "./sandbox-record.ts";

const port = (hostPort: number, more: Partial<PublishedPort> = {}): PublishedPort => ({
  protocol: "tcp",
  containerPort: hostPort + 1000,
  hostAddress: "0.0.0.0",
  hostPort,
  ...more,
});

test("ports that follow each other are one run, for each address and protocol", () => {
  const ports = [port(81), port(80), port(80, { hostAddress: "::" }), port(82, { protocol: "udp" }), port(84)];
  expect(
    runsOf(ports).map(({ protocol, hostAddress, hostPort, count }) => [protocol, hostAddress, hostPort, count]),
  ).toEqual([
    ["tcp", "0.0.0.0", 80, 2],
    ["tcp", "0.0.0.0", 84, 1],
    ["tcp", "::", 80, 1],
    ["udp", "0.0.0.0", 82, 1],
  ]);
});

test("neighbours that lead to ports which are none are two runs", () => {
  expect(runsOf([port(80), port(81, { containerPort: 9 })]).map(({ count }) => count)).toEqual([1, 1]);
});

test("a range is a few words in the record, and comes back as its ports", () => {
  const directory = mkdtempSync(join(tmpdir(), "orlop-record-"));
  const ports = Array.from({ length: 1000 }, (_, index) => port(20_000 + index));
  const record = { id: "abcdef0", endpoints: [], nextNumber: 1, ports };
  writeSandbox(directory, record);
  const { length } = readFileSync(join(directory, "network.json"));
  const back = readSandbox(directory);
  rmSync(directory, { recursive: true });
  expect(back).toEqual(record);
  expect(length).toBeLessThan(300);
});
