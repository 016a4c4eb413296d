/**
 * TCP by iperf3: from container to container, and through a published port from another host (a network namespace on a wire), from
 * this host by 127.0.0.1 and by ::1. In turns; the other ways in relation to the first.
 */

import { makeNeighbour, wire } from "../test/network/neighbourhood.ts";
import { waitUntil } from "../test/wait-until.ts";
import type { Bench } from "./network.ts";
import { figuresOf } from "./statistics.ts";

const port = 5201;
const published = 15_201;
const secondsEach = 2;
const roundsMax = 5;
const readyMs = 10_000;

interface Way {
  readonly name: string;
  readonly target?: string;
  /** Runs the words where the client is. */
  readonly from: (words: readonly string[]) => readonly string[];
  readonly address: string;
  readonly port: number;
}

export async function measureThroughput({ product, rounds, row }: Bench): Promise<void> {
  if (Bun.which("iperf3") === null) return row("iperf3", "not installed");
  await product.ok("network", "create", "lan");
  const start = (name: string, ...words: string[]) =>
    product.ok("run", "-d", "--name", name, "--network", "lan", ...words);
  await start("server", "-p", `${published}:${port}`, "host", "iperf3", "-s");
  await start("client", "host", "sleep", "100000");
  const inspected = JSON.parse(await product.ok("inspect", "server"))[0];
  const address = inspected.NetworkSettings.Networks.lan.IPAddress as string;
  await using stack = new AsyncDisposableStack();
  const neighbour = await makeNeighbour({ defer: (undo) => stack.defer(undo) }, []);
  const here = (words: readonly string[]): readonly string[] => words;
  const ways: readonly Way[] = [
    {
      name: "container to container",
      from: (words) => product.command("exec", "client", ...words),
      address,
      port,
    },
    {
      name: "published port, from another host",
      target: "≥ 0.9",
      from: (words) => ["nsenter", `--net=${neighbour}`, "--", ...words],
      address: wire.host4,
      port: published,
    },
    { name: "published port, by 127.0.0.1", target: "≥ 0.9", from: here, address: "127.0.0.1", port: published },
    { name: "published port, by ::1 (through netd)", from: here, address: "::1", port: published },
  ];
  const measured = new Map<Way, number[]>(ways.map((way) => [way, []]));
  // The server says nothing when it is ready; and 0 seconds would be for ever.
  for (const way of ways)
    await waitUntil(async () => isAnswered(await iperf(way, 1)), readyMs, `an answer: ${way.name}`);
  for (let round = 0; round < Math.min(rounds, roundsMax); round++)
    for (const way of ways) measured.get(way)?.push(await gigabits(way));
  const median = (way: Way): number => figuresOf(measured.get(way) ?? []).median;
  const direct = median(ways[0] as Way);
  for (const way of ways)
    row(`TCP, ${way.name}`, `${median(way).toFixed(1)} Gbit/s, ${(median(way) / direct).toFixed(2)}`, way.target);
  for (const name of ["server", "client"]) await product.ok("rm", "-f", name);
  await product.ok("network", "rm", "lan");
}

async function gigabits(way: Way): Promise<number> {
  const said = await iperf(way, secondsEach);
  if (!isAnswered(said)) throw new Error(`${way.name}: ${said.error}`);
  return said.end.sum_received.bits_per_second / 1e9;
}

type Said =
  | { readonly error: string }
  | { readonly end: { readonly sum_received: { readonly bits_per_second: number } } };

function isAnswered(said: Said): said is Exclude<Said, { readonly error: string }> {
  return !("error" in said);
}

async function iperf(way: Way, seconds: number): Promise<Said> {
  const words = way.from(["iperf3", "-c", way.address, "-p", String(way.port), "-t", String(seconds), "-J"]);
  const limited = ["timeout", String(seconds + 10), ...words];
  return (await Bun.$`${limited}`.quiet().nothrow()).json();
}
