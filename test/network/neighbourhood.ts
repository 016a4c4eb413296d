/** A neighbour: another host on a wire to this one, as a network namespace; and programs in networks of any kind. */

import { join } from "node:path";
import type { Scratch } from "../kernel/harness.ts";
import { waitUntil } from "../wait-until.ts";

/** This host's addresses on the wire, and the neighbour's. Both are for documentation (RFC 5737, RFC 3849). */
export const wire = {
  host4: "198.51.100.1",
  host6: "2001:db8:77::1",
  neighbour4: "198.51.100.2",
  neighbour6: "2001:db8:77::2",
};

/** A network namespace's path, for nsenter. */
export type NetworkPath = string;

function ok(...words: string[]): void {
  const result = Bun.spawnSync(words, { stderr: "pipe" });
  if (result.exitCode !== 0) throw new Error(`${words.join(" ")}: ${result.stderr}`);
}

/** A neighbour that routes these subnets through this host, as one who means no good would. */
export async function makeNeighbour(scratch: Pick<Scratch, "defer">, subnets: readonly string[]): Promise<NetworkPath> {
  const keeper = Bun.spawn(["unshare", "--net", "sh", "-c", "echo; exec sleep 100000"], { stdout: "pipe" });
  scratch.defer(async () => {
    keeper.kill("SIGKILL");
    await keeper.exited;
  });
  await keeper.stdout.getReader().read();
  ok("ip", "link", "add", "owire", "type", "veth", "peer", "name", "eth0", "netns", String(keeper.pid));
  scratch.defer(() => void Bun.spawnSync(["ip", "link", "delete", "owire"]));
  for (const address of [`${wire.host4}/24`, `${wire.host6}/64`])
    ok("ip", "address", "add", address, "dev", "owire", ...nodad(address));
  ok("ip", "link", "set", "owire", "up");
  const path = `/proc/${keeper.pid}/ns/net`;
  const there = (...words: string[]) => ok("nsenter", `--net=${path}`, "--", "ip", ...words);
  there("link", "set", "lo", "up");
  for (const address of [`${wire.neighbour4}/24`, `${wire.neighbour6}/64`])
    there("address", "add", address, "dev", "eth0", ...nodad(address));
  there("link", "set", "eth0", "up");
  for (const subnet of subnets) there("route", "add", subnet, "via", subnet.includes(":") ? wire.host6 : wire.host4);
  there("route", "add", "127.0.0.2/32", "via", wire.host4);
  return path;
}

function nodad(address: string): string[] {
  return address.includes(":") ? ["nodad"] : [];
}

/** Starts what answers with the caller's address, inside; resolves when it listens. */
export async function answer(scratch: Scratch, path: NetworkPath, address: string, port: number): Promise<void> {
  const server = Bun.spawn(
    ["nsenter", `--net=${path}`, "--", process.execPath, join(import.meta.dir, "answering.ts"), address, String(port)],
    { stdout: "pipe", stderr: "inherit" },
  );
  scratch.defer(async () => {
    server.kill();
    await server.exited;
  });
  await server.stdout.getReader().read();
}

/** What comes back from there sooner or later: who is busy, or looks for its neighbour first, may answer late. */
export async function answerFrom(...asked: Parameters<typeof call>): Promise<string> {
  let said = "";
  const isAnswered = (): boolean => {
    said = call(...asked);
    return said !== "";
  };
  await waitUntil(isAnswered, answerMs, `an answer from ${asked.slice(1).join(" ")}`);
  return said;
}

const answerMs = 20_000;

/** What comes back from there within a second; "" when nothing does. */
export function call(path: NetworkPath, address: string, port: number, protocol: "tcp" | "udp" = "tcp"): string {
  const client = [process.execPath, join(import.meta.dir, "calling.ts"), address, String(port), protocol];
  return Bun.spawnSync(["nsenter", `--net=${path}`, "--", ...client])
    .stdout.toString()
    .trim();
}
